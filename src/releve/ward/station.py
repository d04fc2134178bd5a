"""The nurses' station: what the ward's pages stand on, and the gate every one of them goes through.

A page of care is seen by somebody signed in with a role of care, and every read of a record is on its way into the
audit trail before the page is drawn.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from releve.errors import StoreUnable
from releve.log import Draft, Receipt
from releve.log.audit import AuditTrail
from releve.record import Views
from releve.screen import Pages, Screen, Visitor
from releve.screen.gate import message, no_form, not_own, peer_of, to_sign_in
from releve.screen.screen import field as form_field
from releve.screen.screen import is_auto, is_own_form, read_form
from releve.ward.accounts import SECURE_SESSION_COOKIE, SESSION_COOKIE, Accounts
from releve.ward.looked import Looked

_log = logging.getLogger(__name__)

Append = Callable[[Draft], Awaitable[Receipt]]


@dataclass(frozen=True)
class Station:
    """Everything the ward's pages are given.

    append  keeps a draft in the log and returns after the sync
    looked  when whom last looked at which record
    origins       the nodes of this hospital: their stays are its ward lists
    epoch         of this node's log, which stands in the temporary numbers it issues
    sender_names  what people call a sender: "LAB|H01" → "Laboratoire"
    """

    screen: Screen
    pages: Pages
    views: Views
    append: Append
    accounts: Accounts
    audit: AuditTrail
    looked: Looked
    origins: Collection[str]
    epoch: int = 1
    sender_names: Mapping[str, str] = field(default_factory=dict)

    def note_read(
        self,
        request: Request,
        visitor: Visitor,
        action: str,
        *,
        patient_id: str = "",
        patient_ids: Sequence[str] = (),
        resource_type: str = "Patient",
        resource_id: str = "",
        query: str = "",
        outcome: str = "done",
    ) -> None:
        """Put a read or a capture into the audit trail."""
        self.audit.record(
            visitor.user,
            visitor.role,
            action,
            resource_type,
            resource_id or patient_id,
            patient_id,
            reason="reload" if is_auto(request) else "",
            outcome=outcome,
            peer=peer_of(request),
            patient_ids=patient_ids,
            query=query,
        )


Page = Callable[[Station, Request, Visitor], Awaitable[Response]]
FormPage = Callable[[Station, Request, Visitor, FormData], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def care_page(station: Station, page: Page) -> Endpoint:
    """Return a page that only nurses and doctors see; others are sent to sign in or told who may."""

    async def gate(request: Request) -> Response:
        visitor = station.screen.visitor(request)
        if visitor is None:
            return to_sign_in(request)
        if not visitor.is_care:
            return not_care(station, request, visitor)
        try:
            return await page(station, request, visitor)
        except StoreUnable as error:
            return unable(station, request, error)

    return gate


def care_form(station: Station, page: FormPage, signed_out: FormPage | None = None) -> Endpoint:
    """Return what a form of care is sent to; it must come from a form of ours, of this session.

    signed_out  what to do with a form whose session is over, so that what was typed is not lost
    """

    async def gate(request: Request) -> Response:
        form = await read_form(request)
        if form is None:
            return no_form(station.pages, request)
        visitor = station.screen.visitor(request)
        if visitor is None:
            if signed_out is not None:
                return await signed_out(station, request, NOBODY, form)
            return to_sign_in(request)
        if not visitor.is_care:
            return not_care(station, request, visitor)
        if not is_own_form(request, visitor, form_field(form, "csrf")):
            return not_own(station.pages, request)
        try:
            return await page(station, request, visitor, form)
        except StoreUnable as error:
            return unable(station, request, error)

    return gate


NOBODY = Visitor("", "", "", "", b"")


def not_care(station: Station, request: Request, visitor: Visitor) -> Response:
    """Refuse a record to somebody whose role is not care."""
    station.note_read(request, visitor, "read", outcome="refused")
    return message(
        station.pages,
        request,
        403,
        "Records are for nurses and doctors",
        "Your account sees the state of services, not the records of patients.",
        back="/board",
        code="role.not-care",
    )


def unable(station: Station, request: Request, error: StoreUnable) -> Response:
    """Say that the node cannot read or keep just now, and what to do meanwhile; nothing half done is called done."""
    _log.error("page refused by the store", extra={"code": error.code})
    return message(
        station.pages,
        request,
        503,
        "Not possible just now",
        "This node cannot read or keep records at this moment. Nothing was saved by this page. Work on paper, tell IT, "
        "and try again in a minute.",
        code=error.code,
    )


def session_cookie(screen: Screen) -> str:
    """Return the session cookie's name: the __Host- prefix needs TLS."""
    return SECURE_SESSION_COOKIE if screen.is_secure else SESSION_COOKIE
