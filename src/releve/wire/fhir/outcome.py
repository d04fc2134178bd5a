"""OperationOutcome: what the FHIR door says when it cannot or will not do what was asked.

Source: FHIR R4 OperationOutcome; value set issue-type.
"""

from __future__ import annotations

import orjson

from releve.errors import PeerError

#: The system of our own codes in issue.details; they are the codes of the log and the manual.
CODE_SYSTEM = "urn:releve:code"
#: Longest sentence sent back: it may quote what came, and what came may be anything.
SENTENCE_CHARS_MAX = 600


class FhirRefusal(PeerError):
    """A request that gets an OperationOutcome instead of what it asked for.

    status  the HTTP status to answer with
    issue   code of the value set issue-type: "invalid", "not-found", "too-costly"…
    """

    def __init__(self, status: int, issue: str, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.status = status
        self.issue = issue


def operation_outcome(severity: str, issue: str, code: str, sentence: str) -> bytes:
    """Return an OperationOutcome of one issue as JSON.

    severity  "error", "warning" or "information"
    code      ours, such as "fhir.unknown-parameter"
    """
    return orjson.dumps(
        {
            "resourceType": "OperationOutcome",
            "issue": [
                {
                    "severity": severity,
                    "code": issue,
                    "details": {"coding": [{"system": CODE_SYSTEM, "code": code}], "text": _plain(sentence)},
                }
            ],
        }
    )


def encode_refusal(refusal: FhirRefusal) -> bytes:
    """Return a refusal as an OperationOutcome."""
    return operation_outcome("error", refusal.issue, refusal.code, refusal.sentence)


def quoted(text: str, chars_max: int = 60) -> str:
    """Return something that came, short enough and safe to stand in a sentence."""
    cut = text if len(text) <= chars_max else text[:chars_max] + "…"
    return '"' + _plain(cut) + '"'


def _plain(text: str) -> str:
    """Leave out what a FHIR string may not hold: control characters, and halves of characters."""
    kept = "".join(mark if mark.isprintable() else "\ufffd" for mark in text[:SENTENCE_CHARS_MAX])
    return kept.encode("utf-8", "replace").decode().strip() or "?"
