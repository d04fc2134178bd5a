"""How a FHIR request is read before it is understood: in which format to answer, at which address, with which form.

It knows HTTP headers and limits; it refuses to know types, searches and who may ask.
Source: FHIR R4 RESTful API, "Content Types and encodings"; RFC 9110, sections 7.2 and 12.5.1.
"""

from __future__ import annotations

import asyncio
import re

from starlette.requests import Request

from releve.wire.fhir import FhirRefusal, parse_pairs, quoted
from releve.wire.fhir.query import QUERY_BYTES_MAX

FHIR_JSON = "application/fhir+json"
#: How long a search form may take to arrive.
FORM_S_MAX = 10.0

_JSON_FORMATS = ("json", "application/json", "application/fhir+json", "text/json")
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)


def negotiated(request: Request, pairs: list[tuple[str, str]]) -> str:
    """Return the media type to answer with.

    raises  FhirRefusal  the client takes nothing that we have: we have JSON
    """
    formats = [value for name, value in pairs if name == "_format"]
    accepted = request.headers.get("accept", "")
    if formats:
        wanted = formats[-1].partition(";")[0].strip().lower()
        # A plus sign that nobody encoded arrives as a space: application/fhir json.
        if wanted.replace(" ", "+") in _JSON_FORMATS:
            return FHIR_JSON
        raise _not_acceptable(formats[-1])
    kinds = []
    for part in accepted.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if any(re.fullmatch(r"q=0(\.0{0,3})?", parameter) for parameter in parameters):
            continue
        versions = [parameter for parameter in parameters if parameter.startswith("fhirversion=")]
        if all(version in ("fhirversion=4.0", "fhirversion=4.0.1") for version in versions):
            kinds.append(kind)
    if not accepted.strip() or {"*/*", "application/*", FHIR_JSON} & set(kinds):
        return FHIR_JSON
    if {"application/json", "text/json"} & set(kinds):
        return "application/json"
    raise _not_acceptable(accepted)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Return the parameters of a search form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise FhirRefusal(
            415,
            "not-supported",
            "fhir.form",
            f"A search by POST is a form (application/x-www-form-urlencoded); {quoted(kind)} came.",
        )
    content = bytearray()
    try:
        async with asyncio.timeout(FORM_S_MAX):
            async for piece in request.stream():
                content += piece
                if len(content) > QUERY_BYTES_MAX:
                    break
    except TimeoutError:
        raise _invalid("fhir.form-too-slow", f"The search form did not arrive within {FORM_S_MAX:.0f} s.") from None
    return parse_pairs(bytes(content).strip())


def base_url_of(request: Request) -> str:
    """Return the address that the client used; a Host that is none is replaced by the socket's own."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope.get("server") or ("localhost", 80)
        host = f"{name}:{port}"
    return f"{request.url.scheme}://{host}/fhir"


def peer_of(request: Request) -> str:
    return request.client.host if request.client else ""


def _not_acceptable(what: str) -> FhirRefusal:
    return FhirRefusal(
        406, "not-supported", "fhir.format", f"Answers are JSON (application/fhir+json); {quoted(what)} was asked for."
    )


def _invalid(code: str, sentence: str) -> FhirRefusal:
    return FhirRefusal(400, "invalid", code, sentence)
