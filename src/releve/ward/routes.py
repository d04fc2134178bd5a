"""The routes of the ward: where a path leads. Everything they need is passed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from starlette.routing import BaseRoute, Route

from releve.log.audit import AuditTrail
from releve.record import Views
from releve.screen import Screen
from releve.ward.accounts import Accounts
from releve.ward.capture import admission_form, admission_page, note_form
from releve.ward.chart import chart_page, result_page
from releve.ward.looked import Looked
from releve.ward.merge import merge_form, merge_page, unmerge_form
from releve.ward.sign_in import hold_note, sign_in_pages
from releve.ward.station import Append, Station, care_form, care_page
from releve.ward.ward_list import search_page, ward_list_page


def ward_routes(
    screen: Screen,
    *,
    views: Views,
    append: Append,
    accounts: Accounts,
    audit: AuditTrail,
    looked: Looked,
    origins: Collection[str] = (),
    epoch: int = 1,
    sender_names: Mapping[str, str] | None = None,
) -> list[BaseRoute]:
    """Return the pages of care and of signing in; see Station for what each argument is.

    screen.routes() gives what every page needs beside them: style, script, the fresh banner, the choice of language.
    """
    station = Station(
        screen=screen,
        pages=screen.pages(Path(__file__).parent),
        views=views,
        append=append,
        accounts=accounts,
        audit=audit,
        looked=looked,
        origins=origins or (screen.site.id,),
        epoch=epoch,
        sender_names=sender_names or {},
    )
    show, check, leave = sign_in_pages(station)
    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", check, methods=["POST"]),
        Route("/logout", leave, methods=["POST"]),
        Route("/", care_page(station, ward_list_page)),
        Route("/search", care_page(station, search_page)),
        Route("/patient/{patient_id:uuid}", care_page(station, chart_page)),
        Route("/patient/{patient_id:uuid}/result", care_page(station, result_page)),
        Route("/patient/{patient_id:uuid}/note", care_form(station, note_form, hold_note), methods=["POST"]),
        Route("/patient/{patient_id:uuid}/merge", care_page(station, merge_page), methods=["GET"]),
        Route("/patient/{patient_id:uuid}/merge", care_form(station, merge_form), methods=["POST"]),
        Route("/patient/{patient_id:uuid}/unmerge", care_form(station, unmerge_form), methods=["POST"]),
        Route("/admission", care_page(station, admission_page), methods=["GET"]),
        Route("/admission", care_form(station, admission_form), methods=["POST"]),
    ]
