"""A published report as a CAP 1.2 alert, with an info block in French and one in English.

The schema wants local time with its offset, written `+02:00` and never `Z`, without fractions of a second; UTC itself
is `-00:00`. Source: OASIS Common Alerting Protocol 1.2, section 3.2.
"""

from __future__ import annotations

import re
from typing import Literal
from xml.etree.ElementTree import Element

from releve.clock import Instant
from releve.errors import WrongUse
from releve.sitrep.edition import Edition
from releve.sitrep.paper import lay_out
from releve.sitrep.wording import LANGS, WORDS, local
from releve.sitrep.xml import add, document

_NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_LANGUAGES = {"fr": "fr-FR", "en": "en-GB"}

#: Receivers show a headline on one line of a telephone; the standard recommends no more.
HEADLINE_CHARS_MAX = 160

MsgType = Literal["Alert", "Update", "Cancel"]


def cap(edition: Edition, before: Edition | None, *, sender: str, web: str = "") -> bytes:
    """Return a published report as a CAP alert, worded for the public.

    before  the report published before it, which it updates or cancels; None: this is the first
    sender  who alerts, such as "cellule-de-crise@hopital.example": no spaces, commas, "<" or "&"
    web     address of the public page
    raises  WrongUse  the sender is none
    """
    if not re.fullmatch(r"[^\s,<&]+", sender):
        raise WrongUse(
            "sitrep.cap-sender", f"{sender!r} cannot be the sender of a CAP alert: no spaces, commas, < or &."
        )
    sheet = edition.sheet
    root = Element("alert", {"xmlns": _NAMESPACE})
    add(root, "identifier", identifier(edition))
    add(root, "sender", sender)
    add(root, "sent", _sent(edition))
    add(root, "status", "Exercise" if sheet.is_exercise else "Actual")
    add(root, "msgType", message_type(edition, before))
    add(root, "scope", "Public")
    if before is not None and message_type(edition, before) != "Alert":
        add(root, "references", f"{sender},{identifier(before)},{_sent(before)}")
    for lang in LANGS:
        _info(root, edition, lang, web)
    return document(root)


def message_type(edition: Edition, before: Edition | None) -> MsgType:
    """Return whether a report alerts, updates the one before, or takes it back because all is back."""
    if before is None or before.sheet.phase == "back":
        return "Alert"
    return "Cancel" if edition.sheet.phase == "back" else "Update"


def identifier(edition: Edition) -> str:
    """Return what a CAP alert is called: the estate, the number, and the second it was drafted."""
    name = re.sub(r"[^a-z0-9]+", "-", edition.sheet.name.en.lower()).strip("-") or "estate"
    return f"releve-{name}-{edition.sheet.number:04}-{edition.sheet.issued_at // 1_000_000}"


def cap_time(at: Instant, zone: str) -> str:
    """Return an instant as CAP writes it: 2024-08-03T11:10:00+02:00."""
    text = local(at - at % 1_000_000, zone).isoformat(timespec="seconds")
    return text.replace("+00:00", "-00:00")


def _sent(edition: Edition) -> str:
    at = edition.published.at if edition.published is not None else edition.sheet.issued_at
    return cap_time(at, edition.sheet.zone)


def _info(root: Element, edition: Edition, lang: str, web: str) -> None:
    sheet, paper, words = edition.sheet, lay_out(edition, "public", lang), WORDS[lang]
    is_back = sheet.phase == "back"
    info = add(root, "info")
    add(info, "language", _LANGUAGES[lang])
    add(info, "category", "Health")
    add(info, "category", "Infra")
    add(info, "event", words["cap.event"])
    add(info, "responseType", "AllClear" if is_back else "Monitor")
    add(info, "urgency", "Past" if is_back else "Immediate")
    add(info, "severity", _severity(edition))
    add(info, "certainty", "Unknown" if sheet.phase == "unmeasured" else "Observed")
    add(info, "expires", cap_time(sheet.next_at, sheet.zone))
    add(info, "senderName", paper.name)
    add(info, "headline", _short(f"{paper.exercise} {paper.headline}".strip()))
    told = [
        f"{part.title}\n" + "\n".join(line.text for line in part.lines) for part in paper.parts if part.key != "advice"
    ]
    add(info, "description", "\n\n".join([paper.headline, *told, paper.next]))
    advice = [line.text for part in paper.parts if part.key == "advice" for line in part.lines]
    add(info, "instruction", "\n".join(advice))
    if web:
        add(info, "web", web)
    for component in sheet.components:
        _parameter(info, f"releve:state:{component.id}", component.worst)
        if component.p90_at is not None and component.p50_at is not None:
            _parameter(info, f"releve:return:{component.id}:p50", cap_time(component.p50_at + 999_999, sheet.zone))
            _parameter(info, f"releve:return:{component.id}:p90", cap_time(component.p90_at + 999_999, sheet.zone))
        elif component.p90_s is not None and component.p50_s is not None:
            _parameter(info, f"releve:return-after-power:{component.id}:p50", f"PT{int(component.p50_s) + 1}S")
            _parameter(info, f"releve:return-after-power:{component.id}:p90", f"PT{int(component.p90_s) + 1}S")
    comma = ", ".join(row.name.in_language(lang) for row in sheet.rows)
    add(add(info, "area"), "areaDesc", comma or paper.name)


def _severity(edition: Edition) -> str:
    """Return how bad it is: what the hospitals cannot do without decides."""
    out = [one for one in edition.sheet.components if one.worst in ("down", "returning")]
    if any(one.tier <= 1 for one in out):
        return "Severe"
    if out:
        return "Moderate"
    return "Unknown" if edition.sheet.phase == "unmeasured" else "Minor"


def _parameter(info: Element, name: str, value: str) -> None:
    parameter = add(info, "parameter")
    add(parameter, "valueName", name)
    add(parameter, "value", value)


def _short(text: str) -> str:
    return text if len(text) <= HEADLINE_CHARS_MAX else text[: HEADLINE_CHARS_MAX - 2].rsplit(" ", 1)[0] + " …"
