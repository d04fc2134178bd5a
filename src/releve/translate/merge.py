"""ADT^A40 → merges: two files were one person, and which of them stays.

Each PID with the MRG after it is a merge of its own; a message may hold several. The numbers in PID-3 of an A40 are
those that name the survivor and need not be all it has, so they are mentioned and not restated; what else the PID says
is stated. Source: HL7 v2.5.1 3.3.40 and 3.4.9 (MRG); IHE PIX.
"""

from __future__ import annotations

from typing import Any

from releve.clock import Instant
from releve.ids import computed_id
from releve.log import Statement
from releve.translate.coding import encode
from releve.translate.identifier import INS_TEST, Number, naming, read_cx
from releve.translate.patient import identify, read_patient
from releve.translate.person import read_name
from releve.translate.reading import Reading
from releve.wire.hl7v2 import Segment


def state_merges(reading: Reading, at: Instant, *, production: bool) -> tuple[list[Statement], int]:
    """Return the statements of every PID/MRG group, and how many merges could be read in all."""
    statements: list[Statement] = []
    merges = 0
    pid: Segment | None = None
    for segment in reading.message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG" and pid is not None:
            found = _state_merge(pid, segment, reading, at, production=production)
            merges += bool(found)
            statements += found
    return statements, merges


def _state_merge(pid: Segment, mrg: Segment, reading: Reading, at: Instant, *, production: bool) -> list[Statement]:
    winner = identify(pid, reading, production=production)
    numbers = _losing_numbers(mrg, reading)
    loser = naming(numbers)
    if winner is None or loser is None:
        reading.remark("hl7v2.merge-unnamed", "PID-3 or MRG-1 names nobody; this group is kept and merges nothing.")
        return []
    loser_id = computed_id("Patient", loser.system, loser.value)
    if loser_id == winner.id:
        reading.remark("hl7v2.merge-with-itself", "PID-3 and MRG-1 name the same patient; nothing is merged.")
        return []
    stated = read_patient(pid, winner, reading)
    mentioned = {"identifier": stated.pop("identifier")}
    statements = [Statement("mention", "Patient", winner.id, at, winner.id, encode(mentioned))]
    if stated:
        statements.append(Statement("patch", "Patient", winner.id, at, winner.id, encode(stated)))
    prior: dict[str, Any] = {"identifier": [number.fhir("old") for number in numbers]}
    for repetition in mrg.reps(7):
        name = read_name(repetition, reading.grammar, is_first=True)
        if name:
            prior.setdefault("name", []).append({**name, "use": "old"})
    statements.append(Statement("mention", "Patient", loser_id, at, loser_id, encode(prior)))
    statements.append(Statement("merge", "Patient", loser_id, at, loser_id, encode({"into": winner.id})))
    return statements


def _losing_numbers(mrg: Segment, reading: Reading) -> list[Number]:
    """Return the numbers of MRG-1, else of MRG-4 (the older field); an INS never names what is merged away."""
    numbers = []
    for repetition in reading.grammar.repetitions(mrg.raw(1)) or reading.grammar.repetitions(mrg.raw(4)):
        number = read_cx(repetition, reading.grammar)
        if number is not None and not number.is_ins and number.system not in INS_TEST:
            numbers.append(number)
    return numbers
