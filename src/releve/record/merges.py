"""Who is the same person: merges stated by people and systems, and identifiers that two patients share. Pure.

Merges are folded in the order in which they happened. Where a new merge would close a loop, its target survives: what
had merged the target into somebody is no longer in force. So A into B and later B into A leaves A; sent again and
again, the last one counts, and there is never a loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from releve.record.fold import Document, Place

#: A number borne by more patients than this names nobody ("0", "INCONNU"): it links none of them.
IDENTIFIER_SHARERS_MAX = 4
#: Identities longer than this chain are a broken feed; following one never takes longer.
PERSON_PATIENTS_MAX = 500


class Link(NamedTuple):
    """A merge (loser is now known as winner) or the undoing of one, as stated. Patients by key."""

    loser: int
    winner: int
    is_merge: bool
    place: Place


def in_force(links: Iterable[Link]) -> dict[int, Link]:
    """Return, by loser, the merges that count after all were folded in order of place. Never a loop."""
    current: dict[int, Link] = {}
    for link in sorted(links, key=_place):
        if not link.is_merge:
            known = current.get(link.loser)
            if known is not None and (known.winner == link.winner or link.winner == link.loser):
                del current[link.loser]
            continue
        if link.loser == link.winner:
            continue
        at = link.winner
        while at in current and at != link.loser:
            at = current[at].winner
        if at == link.loser:
            current.pop(link.winner, None)
        current[link.loser] = link
    return current


def root(key: int, current: dict[int, Link]) -> int:
    """Return the patient that stands for one, following merges in force."""
    while key in current:
        key = current[key].winner
    return key


def roots(
    keys: Iterable[int], current: dict[int, Link], shared: Iterable[set[int]], names: dict[int, bytes | str]
) -> dict[int, int]:
    """Return, for each patient of one connected family, the patient that stands for it.

    shared  patients that bear one identifier; they are one person though nobody merged them
    names   ids of the patients: among several that merges leave standing, the smallest id stands for the person,
            because every node must choose alike
    """
    standing = {key: root(key, current) for key in keys}
    parent = {key: key for key in set(standing.values())}

    def find(key: int) -> int:
        while parent[key] != key:
            key = parent[key]
        return key

    for group in shared:
        ends = sorted({find(standing[key]) for key in group if key in standing}, key=lambda key: _name(names[key]))
        for other in ends[1:]:
            parent[other] = ends[0]
    best: dict[int, int] = {}
    for key in parent:
        top = find(key)
        if top not in best or _name(names[key]) < _name(names[best[top]]):
            best[top] = key
    return {key: best[find(end)] for key, end in standing.items()}


def overlay(doc: Document, replaced_by: str | None, replaces: list[str]) -> Document:
    """Return a Patient with its merges laid over what was stated of it.

    replaced_by  id of the patient it was merged into; a later update of its data does not revive it
    replaces     ids of the patients merged into it
    """
    if replaced_by is None and not replaces:
        return doc
    result = dict(doc)
    links = [link for link in doc.get("link", []) if isinstance(link, dict)]
    if replaced_by is not None:
        result["active"] = False
        links.append({"other": {"reference": f"Patient/{replaced_by}"}, "type": "replaced-by"})
    links += [{"other": {"reference": f"Patient/{id_}"}, "type": "replaces"} for id_ in replaces]
    result["link"] = links
    return result


def _place(link: Link) -> tuple[Place, int, int]:
    return link.place, link.loser, link.winner


def _name(id_: bytes | str) -> bytes:
    return id_ if isinstance(id_, bytes) else id_.encode()
