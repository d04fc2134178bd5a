import os
import sys
import time
from pathlib import Path

from releve.demo.plant import Group, NightLock, cut_power, free_ports, module

FAMILY = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready now", flush=True)
time.sleep(60)
"""
WATCHER = """
import sys, time
from releve.demo.centre.__main__ import watch_lock
watch_lock(sys.argv[1])
print("ready", flush=True)
time.sleep(60)
"""


def _until(condition: object, within_s: float = 10.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


def _members(group: int) -> list[str]:
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(path.parent.name)
    return members


def test_a_power_cut_takes_a_program_and_its_children(tmp_path: Path) -> None:
    group = Group("family", (sys.executable, "-c", FAMILY), tmp_path / "log", ready="ready ")
    group.start()
    assert _until(group.ready_line)
    assert group._process is not None
    pid = group._process.pid
    assert len(_members(pid)) == 2
    assert cut_power([group], []) == 1
    assert _until(lambda: not _members(pid))


def test_ports_are_different_and_free_for_both_kinds() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50


def test_a_program_of_the_centre_ends_when_the_night_lets_go(tmp_path: Path) -> None:
    lock = NightLock(tmp_path / "lock")
    group = Group("program", (sys.executable, "-c", WATCHER, str(lock.path)), tmp_path / "log", ready="ready")
    group.start()
    assert _until(group.ready_line)
    assert group.is_alive()
    lock.release()
    assert _until(lambda: not group.is_alive())


def test_a_module_is_run_by_this_very_python() -> None:
    assert module("a.b", "c") == (sys.executable, "-m", "a.b", "c")
