"""Two records that are one person: somebody under a temporary number who is now known, and the undoing of a merge.

Only a temporary record may be merged on a page: it was made here, for this. Merges of two known records are the
identity service's and come as ADT^A40. Nothing is copied or deleted: the temporary record points to the known one, and
undoing takes the pointer away.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from releve.record.capture import merge_draft, unmerge_draft
from releve.record.rows import Person
from releve.screen import Visitor
from releve.screen.gate import message
from releve.screen.screen import field, redirect
from releve.ward.capture import KEY, shown
from releve.ward.chart import INS_WORDS, SEX_WORDS, no_such_person
from releve.ward.station import Station
from releve.ward.ward_list import QUERY_CHARS_MIN, as_searched

#: Choices shown at once; with more than this the search is narrowed first, for a wrong choice is easily made.
CHOICES_MAX = 12


async def merge_page(station: Station, request: Request, visitor: Visitor) -> Response:
    """Search the record that somebody under a temporary number belongs to; both are shown before anything is done."""
    person = station.views.person(str(request.path_params["patient_id"]))
    if person is None:
        return no_such_person(station, request)
    if not person.is_temporary:
        return redirect(f"/patient/{person.id}")
    query = " ".join(request.query_params.get("q", "").split())[:100]
    found: list[Person] = []
    if len(query) >= QUERY_CHARS_MIN:
        found = station.views.find(as_searched(query), limit=CHOICES_MAX + 2)
    choices = [one for one in found if one.id != person.id and not one.is_temporary]
    station.note_read(
        request, visitor, "search", patient_ids=[person.id, *(one.id for one in choices)], query="name-number-birthdate"
    )
    return station.pages.render(
        request,
        "merge.html",
        section="ward",
        person=person,
        query=query,
        choices=choices[:CHOICES_MAX],
        is_cut=len(choices) > CHOICES_MAX,
        key=secrets.token_hex(16),
        sex_words=SEX_WORDS,
        ins_words=INS_WORDS,
    )


async def merge_form(station: Station, request: Request, visitor: Visitor, form: FormData) -> Response:
    """Say that a temporary record is a known person's."""
    loser_id = str(request.path_params["patient_id"])
    winner_id, key = field(form, "winner"), field(form, "key")
    loser = station.views.person(loser_id)
    winner = station.views.person(winner_id) if _is_id(winner_id) else None
    is_sound = loser is not None and winner is not None and KEY.fullmatch(key)
    if loser is None or winner is None or not is_sound:
        return no_such_person(station, request)
    if loser.id == winner.id:  # a second click, or somebody was faster
        return redirect(f"/patient/{winner.id}?saved=merged")
    if not loser.is_temporary or winner.is_temporary:
        sentence = "Only a temporary record can be linked here, and only to a known person. Nothing was changed."
        return message(station.pages, request, 409, "Not done", sentence, back=f"/patient/{loser_id}")
    draft = merge_draft(key=key, loser_id=loser.id, winner_id=winner.id, author=visitor.user, at=station.screen.now())
    station.note_read(request, visitor, "merge", patient_id=winner.id, patient_ids=[loser.id])
    receipt = await station.append(draft)
    await shown(station, receipt)
    return redirect(f"/patient/{winner.id}?saved=merged")


async def unmerge_form(station: Station, request: Request, visitor: Visitor, form: FormData) -> Response:
    """Undo a merge: both records stand apart again, each with what was said of it."""
    patient_id = str(request.path_params["patient_id"])
    loser, winner, key = field(form, "loser"), field(form, "winner"), field(form, "key")
    if visitor.role != "doctor":
        return message(
            station.pages, request, 403, "Not done", "Undoing a merge is for doctors.", back=f"/patient/{patient_id}"
        )
    in_force = {(m.loser_id, m.winner_id) for m in station.views.merges(patient_id) if m.is_merge and m.is_in_force}
    if (loser, winner) not in in_force or not KEY.fullmatch(key):
        sentence = "This merge is not in force any more. Look at the record again."
        return message(station.pages, request, 409, "Not done", sentence, back=f"/patient/{patient_id}")
    draft = unmerge_draft(key=key, loser_id=loser, winner_id=winner, author=visitor.user, at=station.screen.now())
    station.note_read(request, visitor, "unmerge", patient_id=winner, patient_ids=[loser])
    receipt = await station.append(draft)
    await shown(station, receipt)
    return redirect(f"/patient/{winner}?saved=unmerged")


def _is_id(text: str) -> bool:
    return len(text) == 36 and set(text) <= set("0123456789abcdef-")
