"""From a message to what it says: which translation reads it, or why none does.

    ADT  A01 A02 A03 A04 A05 A06 A07 A14 A21 A22      patient stated, stay stated, one movement
         A11 A12 A13 A27 A38 A52 A53                  the same, the movement taken back
         Z99                                          a movement corrected by its id (IHE PAM France)
         A08                                          patient and stay stated, nobody moves
         A28 A31                                      patient stated
         A40                                          merges
    ORU  R01                                          results; the patient is mentioned

Everything else is kept and not charted. When it counts: a movement at ZBE-2, else as the event; an event at EVN-6
unless that lies after EVN-2 (a plan is stated when it is made), else EVN-2, MSH-7, the arrival.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_iso
from releve.log import GROUP, SITE, Statement
from releve.translate.allergy import state_allergy
from releve.translate.coding import encode
from releve.translate.document import Attachment
from releve.translate.merge import state_merges
from releve.translate.patient import Known, identify, read_patient
from releve.translate.reading import Reading
from releve.translate.results import NOBODY, state_results
from releve.translate.stay import identify_stay, mention_stay, read_stay, state_movement
from releve.wire.hl7v2 import Message, Segment

logger = logging.getLogger(__name__)

_INSERTS = frozenset(("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A14", "A21", "A22"))
_CANCELS = frozenset(("A11", "A12", "A13", "A27", "A38", "A52", "A53"))
_MOVEMENTS = _INSERTS | _CANCELS | {"Z99"}
_UPDATES = frozenset(("A08", "A28", "A31"))
#: A list of allergies longer than this is a broken feed; what is beyond stays in the kept bytes.
_ALLERGIES_MAX = 200


class Translation(NamedTuple):
    """What was understood of a message.

    statements  in the order of the message; some may stand here although the whole was not understood
    remarks     what was doubtful or left out, each a sentence with its code in front; no patient data
    understood  False when somebody must look at the message; reason then says why
    channel     GROUP for what every hospital may hold, SITE for what nobody could read
    blobs       (sha256, bytes) of documents that statements refer to as Binary/<sha256 in hex>
    """

    statements: list[Statement]
    remarks: list[str]
    understood: bool
    channel: str
    reason: str
    blobs: Sequence[Attachment] = ()


def translate(message: Message, *, received_at: Instant, zone: ZoneInfo, production: bool = True) -> Translation:
    """Return what a message says. Never raises: what it cannot read, it says so.

    zone        local time of the sender, for times without an offset
    production  whether messages marked as tests (MSH-11 = T) and test identities are left uncharted
    """
    try:
        return _translate(message, received_at, zone, production)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one field must not refuse an admission at the door
        at = _place_of(error)
        logger.error("message not translated", extra={"code": "hl7v2.translation-failed", "at": at})
        reason = (
            f"hl7v2.translation-failed: {message.type} met a fault of this program ({type(error).__name__} at {at})"
        )
        return Translation([], [], False, SITE, f"{reason}; it is kept, not charted. Please report it.")


def _translate(message: Message, received_at: Instant, zone: ZoneInfo, production: bool) -> Translation:
    if production and message.processing_id == "T":
        return _kept("hl7v2.test-message: MSH-11 is T, this node is in production; the message is kept, not charted.")
    if message.code == "ORU" and message.trigger == "R01":
        return _translate_results(Reading(message, received_at, zone), production)
    if message.code == "ADT":
        trigger = message.trigger
        if trigger == "A40":
            return _translate_merges(Reading(message, received_at, zone), production)
        if trigger in _MOVEMENTS or trigger in _UPDATES:
            return _translate_adt(Reading(message, received_at, zone), production)
    return _kept(f"hl7v2.no-translation: {message.type[:20] or 'a message without type'} is kept, not charted.")


def _kept(reason: str, remarks: list[str] | None = None) -> Translation:
    return Translation([], remarks or [], False, SITE, reason)


def _translate_adt(reading: Reading, production: bool) -> Translation:
    message = reading.message
    firsts: dict[str, Segment] = {}
    for segment in message.segments:
        firsts.setdefault(segment.name, segment)
    pid = firsts.get("PID")
    known = identify(pid, reading, production=production) if pid is not None else None
    if pid is None or known is None:
        return _kept(_NOBODY.format(message.type[:20]), reading.remarks)
    at, iso = _said_at(reading, firsts.get("EVN"))
    patient = read_patient(pid, known, reading, firsts.get("PD1"))
    statements = [Statement("patch", "Patient", known.id, at, known.id, encode(patient))]
    reason = ""
    if message.trigger not in ("A28", "A31"):
        reason = _add_stay(statements, firsts, known, at, iso, reading)
    if "AL1" in firsts:
        for al1 in message.all("AL1")[:_ALLERGIES_MAX]:
            allergy = state_allergy(al1, known.id, at, reading)
            if allergy is not None:
                statements.append(allergy)
    return Translation(statements, reading.remarks, not reason, GROUP, reason)


_NOBODY = "hl7v2.no-patient-number: {} has no number in PID-3 that names a patient here; it is kept, not charted."


def _add_stay(
    statements: list[Statement], firsts: dict[str, Segment], known: Known, at: Instant, iso: str, reading: Reading
) -> str:
    """Add what an ADT says of the stay; returns why it could not be understood, else ""."""
    trigger = reading.message.trigger
    pv1, zbe = firsts.get("PV1"), firsts.get("ZBE")
    stay = identify_stay(pv1, firsts["PID"], known.id, reading)
    if pv1 is None or stay is None:
        if trigger == "A08":
            return ""
        return (
            f"hl7v2.no-stay: ADT^{trigger} has no PV1 that names a stay; the patient is charted, the movement is not."
        )
    encounter = read_stay(pv1, firsts.get("PV2"), stay, known.id, reading)
    statements.append(Statement("patch", "Encounter", stay.id, at, known.id, encode(encounter)))
    if trigger == "A08" or "class" not in encounter:
        mentioned = mention_stay(pv1, stay, known.id, reading)
        statements.append(Statement("mention", "Encounter", stay.id, at, known.id, encode(mentioned)))
    if trigger == "A08":
        return ""
    if trigger == "Z99" and zbe is None:
        return "hl7v2.no-movement: ADT^Z99 has no ZBE to say which movement it corrects; the patient is charted."
    moved_at, moved_iso = _moved_at(trigger, zbe, firsts, at, iso, reading)
    if zbe is None:
        statements.append(state_movement(trigger, None, pv1, stay, known.id, moved_at, moved_iso, reading))
        return ""
    for one in reading.message.all("ZBE"):
        statements.append(state_movement(trigger, one, pv1, stay, known.id, moved_at, moved_iso, reading))
    return ""


def _said_at(reading: Reading, evn: Segment | None) -> tuple[Instant, str]:
    """Return when an event counts as having happened."""
    happened = recorded = None
    if evn is not None:
        recorded = reading.moment(evn.raw(2), "EVN-2")
        happened = reading.moment(evn.raw(6), "EVN-6")
    if happened is not None and (recorded is None or happened.at <= recorded.at):
        return happened.at, happened.iso
    if recorded is not None:
        return recorded.at, recorded.iso
    return reading.sent_at, to_iso(reading.sent_at)


def _moved_at(
    trigger: str, zbe: Segment | None, firsts: dict[str, Segment], at: Instant, iso: str, reading: Reading
) -> tuple[Instant, str]:
    """Return when a movement happened whose ZBE does not say: an admission at PV1-44, a discharge at PV1-45.

    A plan (A05, A14) happens when it is planned for: EVN-6 even if it lies ahead, PV2-8, PV1-44. A cancel takes back
    what was there when it was recorded.
    """
    if zbe is not None and zbe.raw(2):
        return at, iso
    evn, pv1, pv2 = firsts.get("EVN"), firsts["PV1"], firsts.get("PV2")
    happened = reading.moment(evn.raw(6), "EVN-6") if evn is not None else None
    moment = happened
    if trigger in _CANCELS:
        recorded = reading.moment(evn.raw(2), "EVN-2") if evn is not None else None
        moment = max((one for one in (recorded, happened) if one), key=lambda one: one.at, default=None)
    elif moment is None and trigger in ("A05", "A14") and pv2 is not None:
        moment = reading.moment(pv2.raw(8), "PV2-8")
    if moment is None and trigger in ("A01", "A04", "A05", "A14"):
        moment = reading.moment(pv1.raw(44), "PV1-44")
    elif moment is None and trigger == "A03":
        moment = reading.moment(pv1.raw(45), "PV1-45")
    if moment is None or (not moment.is_instant and moment is not happened):
        return at, iso  # a day without an hour orders nothing; the event's own time is better
    return moment.at, moment.iso


def _translate_merges(reading: Reading, production: bool) -> Translation:
    at, _ = _said_at(reading, reading.message.first("EVN"))
    statements, merges = state_merges(reading, at, production=production)
    wanted = len(reading.message.all("MRG"))
    if merges == wanted and merges:
        return Translation(statements, reading.remarks, True, GROUP, "")
    reason = f"hl7v2.merge-incomplete: {merges} of {wanted} merges in ADT^A40 could be read; a person must look at it."
    return Translation(statements, reading.remarks, False, GROUP, reason)


def _translate_results(reading: Reading, production: bool) -> Translation:
    results = state_results(reading, production=production)
    if not results.statements:
        return _kept(results.reason or NOBODY, reading.remarks)
    return Translation(
        results.statements, reading.remarks, not results.reason, GROUP, results.reason, results.attachments
    )


def _place_of(error: BaseException) -> str:
    """Return module and line of where an error began: enough to find it, and nothing of the message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else "?"
