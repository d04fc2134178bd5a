"""Inventories of other systems → the text of an estate file that `load` accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from releve.estate.ansible import read_ansible
from releve.estate.compose import read_compose
from releve.estate.draft import Draft, draft_text
from releve.estate.netbox import read_netbox

#: Source → who reads its exports.
SOURCES: Mapping[str, Callable[[Sequence[Path]], Draft]] = {
    "netbox": read_netbox,
    "ansible": read_ansible,
    "compose": read_compose,
}


def import_inventory(source: str, files: Sequence[Path]) -> str:
    """Return the estate file made from the exports of a source, to be read and completed by a person.

    raises  WrongUse  a file that is no such export, or one in which there is nothing
    """
    return draft_text(SOURCES[source](files), source)
