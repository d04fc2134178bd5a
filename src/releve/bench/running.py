"""Starting what is measured: a real node, and rivals, each a process of its own on a port the system chose."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from releve.errors import Refused
from releve.node.folder import make_folder

_READY = re.compile(r"ready https?://\S+?:(\d+) mllp://\S+?:(\d+) ")


@dataclass(frozen=True)
class RunningNode:
    """A node that is open: its folder and the ports of its doors."""

    folder: Path
    http_port: int
    mllp_port: int
    pid: int

    def posts(self) -> list[tuple[str, int]]:
        """Return (name, process id) of the posts that live, as they name themselves to the kernel."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        names = [(_name(int(child)), int(child)) for child in children]
        return [(name, pid) for name, pid in names if name]


@contextlib.contextmanager
def running_node(folder: Path, site: str = "H01") -> Iterator[RunningNode]:
    """Run a node in a folder, made when it is new, as `releve run` does; stop it at the end."""
    if not (folder / "node.toml").exists():
        make_folder(folder, site, "", http="127.0.0.1:0", mllp="127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-m", "releve.cli", "run", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        ready = _READY.match(line)
        if ready is None:
            raise Refused("bench.node", f"The node in {folder} did not start: it said {line!r}.")
        yield RunningNode(folder, int(ready[1]), int(ready[2]), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


@contextlib.contextmanager
def running_rival(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a rival's server in a process of its own and yield its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as sock:
        process = multiprocessing.get_context("fork").Process(target=serve, args=(sock,), daemon=True)
        process.start()
        try:
            yield sock.getsockname()[1]
        finally:
            process.kill()
            process.join()


def _name(pid: int) -> str:
    """Return what a process is called, "" when it is gone."""
    try:
        text = Path(f"/proc/{pid}/comm").read_text().strip()
        is_gone = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return ""
    return "" if is_gone else text.removeprefix("releve-")
