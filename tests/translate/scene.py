"""Messages for these tests, written as a person would read them, and what translation makes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fhirkit
import orjson
import pytest

from releve.clock import to_instant
from releve.log import Statement
from releve.translate import Translation
from releve.translate.translation import _translate
from releve.wire.hl7v2 import Message, parse

PARIS = ZoneInfo("Europe/Paris")
RECEIVED_AT = to_instant(datetime(2026, 3, 15, 9, 0, tzinfo=UTC))

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="shared/data is absent: the public and the edge messages are not tried"
)

INS = "{value}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.{arc}&ISO^INS"


def text(*segments: str, type_: str = "ADT^A01", mode: str = "P", sent: str = "20260315093000") -> bytes:
    """Return a message of these segments; MSH is put before them."""
    msh = f"MSH|^~\\&|GAM|CHU|RELEVE|CHU|{sent}||{type_}|C1|{mode}|2.5|||||FRA|UNICODE UTF-8"
    return ("\r".join((msh, *segments)) + "\r").encode()


def adt(trigger: str, *segments: str, **options: str) -> Translation:
    """Return the translation of an ADT."""
    return said(text(*segments, type_=f"ADT^{trigger}", **options))


def oru(*segments: str, **options: str) -> Translation:
    """Return the translation of an ORU^R01."""
    return said(text(*segments, type_="ORU^R01^ORU_R01", **options))


def said(raw: bytes | Message, *, production: bool = True) -> Translation:
    """Return a translation whose faults are not caught: a test must see them."""
    message = raw if isinstance(raw, Message) else parse(raw)
    return _translate(message, RECEIVED_AT, PARIS, production)


def contents(translation: Translation, type_: str, verb: str = "") -> list[dict[str, Any]]:
    """Return what statements about a type say, in order."""
    return [
        orjson.loads(statement.content)
        for statement in translation.statements
        if statement.type == type_ and verb in ("", statement.verb)
    ]


def content(translation: Translation, type_: str, verb: str = "") -> dict[str, Any]:
    """Return what the one statement about a type says."""
    (one,) = contents(translation, type_, verb)
    return one


def statement(translation: Translation, type_: str, verb: str = "") -> Statement:
    """Return the one statement about a type."""
    (one,) = [s for s in translation.statements if s.type == type_ and verb in ("", s.verb)]
    return one


def codes(translation: Translation) -> set[str]:
    """Return the codes of the remarks."""
    return {remark.split(":", 1)[0] for remark in translation.remarks}


def faults(statement: Statement) -> list[str]:
    """Return what a FHIR R4 validator that nobody here wrote finds wrong with a resource that was put."""
    resource = {"resourceType": statement.type, "id": statement.id, **orjson.loads(statement.content)}
    return [str(issue) for issue in fhirkit.validate(orjson.dumps(resource).decode())]


def edge(name: str) -> bytes:
    """Return an edge message of shared/data."""
    return (SHARED / "hl7v2-edge" / "messages" / f"{name}.hl7").read_bytes()


def observation(*obx: str, obr: str = "1||FL1|X") -> dict[str, Any]:
    """Return the Observation of one OBX, its fields given from OBX-2 on."""
    translation = oru("PID|1||42^^^CHU^PI", f"OBR|{obr}", "OBX|1|" + "|".join(obx))
    return content(translation, "Observation")
