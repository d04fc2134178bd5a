"""Ansible by its real program: what is eligible together is one call, and each host is judged for itself."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.estate import Command, Estate
from releve.estate.model import Bilingual
from releve.recovery.driver.ansible import Ansible, _of_host
from releve.recovery.driver.local import Ended
from releve.recovery.driver.order import Launched, Order

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(
        not Path(sys.executable).with_name("ansible-playbook").exists() and not shutil.which("ansible-playbook"),
        reason="ansible-playbook is not installed here; make setup-dev brings it",
    ),
]

NOWHERE = Estate(Bilingual("rien", "nothing"), "Europe/Paris", {}, {}, {})

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: echo x >> calls; touch {{ inventory_hostname }}.up
      args:
        executable: /bin/sh
    - ansible.builtin.fail:
        msg: its disk is full
      when: inventory_hostname == "db2"
"""


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    hosts = "".join(f"{name} ansible_connection=local\n" for name in ("db1", "db2", "db3"))
    (tmp_path / "inventory").write_text(hosts, "utf-8")
    (tmp_path / "site.yml").write_text(PLAYBOOK, "utf-8")
    return tmp_path / "site.yml"


def test_units_that_are_eligible_together_are_one_call_and_each_host_is_judged_for_itself(playbook: Path) -> None:
    async def all_three() -> tuple[list[Launched], list[str]]:
        driver, processes = Ansible(NOWHERE), list[str]()
        orders = [
            Order(name, "start", command(playbook, "--limit", name), began=processes.append)
            for name in ("db1", "db2", "nowhere")
        ]
        return list(await asyncio.gather(*map(driver.carry_out, orders))), processes

    (db1, db2, nowhere), processes = asyncio.run(all_three())
    assert (db1.ok, db1.detail) == (True, "site.yml did 1 tasks on db1")
    assert (db2.ok, db2.detail) == (False, "site.yml failed on db2 after 1 tasks")
    assert nowhere.detail.startswith("site.yml said nothing of nowhere")
    assert len(processes) == 3
    assert len(set(processes)) == 1, "one process for all of them"
    assert sorted(path.name for path in playbook.parent.glob("*.up")) == ["db1.up", "db2.up"]


def test_what_cannot_be_called_is_known_without_calling(playbook: Path) -> None:
    driver = Ansible(NOWHERE)
    assert asyncio.run(driver.flaws(command(playbook))) == []
    (flaw,) = asyncio.run(driver.flaws(Command(("/nowhere/site.yml",), driver="ansible")))
    assert flaw == "the playbook /nowhere/site.yml is not there"
    assert driver.words(command(playbook, "--limit", "db1")).endswith("site.yml -i inventory --limit db1")


@given(st.binary(max_size=300))
def test_whatever_a_call_says_each_host_gets_a_verdict(words: bytes) -> None:
    assert not _of_host("site.yml", "db1", Ended(2, "it ended with 2", b"db1 : ok=x " + words)).ok or b"db1" in words


def command(playbook: Path, *more: str) -> Command:
    return Command((str(playbook), "-i", "inventory", *more), driver="ansible", timeout_s=120)
