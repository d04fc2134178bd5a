"""What reading the record gives: plain rows for pages and doors. Values only: no disk, no clock."""

from __future__ import annotations

import msgspec


class WardCount(msgspec.Struct, frozen=True, gc=False):
    """A ward and how many lie there."""

    ward: str
    occupied: int


class Occupant(msgspec.Struct, frozen=True):
    """Somebody who lies in a ward.

    patient_id      of the person, merges followed
    class_          FHIR v3-ActCode: IMP, EMER, AMB…; empty when unknown
    since           when they came to this bed, microseconds since 1970
    red_band        what must be seen first: allergies and the like, each a short text
    is_known        False when only a mention is known of them (a result came before the admission)
    last_result_at  when this hospital's network heard the last result, microseconds; None for none
    origin          the node where the stay was recorded
    """

    patient_id: str
    encounter_id: str
    family: str
    given: str
    birth_date: str
    sex: str
    ipp: str
    ward: str
    room: str
    bed: str
    since: int
    class_: str
    red_band: list[str]
    is_temporary: bool
    is_known: bool
    last_result_at: int | None
    origin: str


class Identifier(msgspec.Struct, frozen=True, gc=False):
    """A number of a person: system (a URI), value, HL7 table 0203 type ("PI", "MR", "INS"…), FHIR use."""

    system: str
    value: str
    type: str
    use: str


class Alias(msgspec.Struct, frozen=True):
    """Another Patient resource that is the same person.

    why  "merged" (a merge in force) or "same-identifier" (both bear one number)
    """

    patient_id: str
    why: str
    family: str
    given: str
    birth_date: str
    identifiers: list[Identifier]


class Person(msgspec.Struct, frozen=True):
    """Who somebody is, merges followed.

    id                of the Patient resource that stands for the person
    asked_id          the id that was asked for; differs when it was merged into another
    birth_family      name of birth when it differs from the name used, else empty
    identity_status   INS status of the identity (PROV, VALI, QUAL…), as the sender gave it; empty when not
    is_known          False when only mentions are known
    allergy_state     "known", "none-known", "not-recorded" or "unavailable"
    heard_at          when the identity was last stated, microseconds; source: "origin sender"
    """

    id: str
    asked_id: str
    family: str
    given: str
    birth_family: str
    birth_date: str
    sex: str
    ipp: str
    ins: str
    identity_status: str
    deceased: str
    is_temporary: bool
    is_known: bool
    identifiers: list[Identifier]
    aliases: list[Alias]
    allergy_state: str
    heard_at: int
    origin: str
    sender: str
    version: int


class Earlier(msgspec.Struct, frozen=True, gc=False):
    """What a result said before it was corrected."""

    version: int
    value: str
    unit: str
    status: str
    heard_at: int


class Point(msgspec.Struct, frozen=True):
    """One result.

    at         when the sample was taken or the value measured, microseconds
    value      as the laboratory wrote it, comparator included: "<0.5"; texts keep their lines
    number     the value as a number for a trend line; None when it is none
    flag       the laboratory's interpretation code: H, HH, L, LL, A, AA, N…; empty when it gave none
    status     FHIR: preliminary, final, corrected, amended, cancelled, entered-in-error, registered…
    is_void    withdrawn or cancelled: must not be read as a result
    earlier    what it said before, newest first
    """

    id: str
    at: int
    value: str
    number: float | None
    unit: str
    low: float | None
    high: float | None
    range_text: str
    flag: str
    status: str
    is_void: bool
    notes: list[str]
    earlier: list[Earlier]
    heard_at: int
    origin: str
    sender: str
    patient_id: str


class ResultGroup(msgspec.Struct, frozen=True):
    """The results of one code, newest first. code is "system|code", or the name when the sender gave no code."""

    code: str
    name: str
    unit: str
    points: list[Point]


class Move(msgspec.Struct, frozen=True, gc=False):
    """A place in a stay; until is None for the present one."""

    ward: str
    room: str
    bed: str
    display: str
    since: int
    until: int | None


class Stay(msgspec.Struct, frozen=True):
    """A stay with its moves, oldest first."""

    encounter_id: str
    status: str
    class_: str
    number: str
    started_at: int | None
    ended_at: int | None
    ward: str
    room: str
    bed: str
    moves: list[Move]
    heard_at: int
    origin: str
    sender: str


class Document(msgspec.Struct, frozen=True):
    """A note, report or other document.

    kind  "note" (written here or at another node), "report" (DiagnosticReport) or "document"
    text  when it is plain text; otherwise empty and url names what to fetch
    """

    type: str
    id: str
    kind: str
    title: str
    author: str
    at: int
    text: str
    content_type: str
    url: str
    status: str
    is_void: bool
    heard_at: int
    origin: str
    sender: str


class Allergy(msgspec.Struct, frozen=True):
    """An allergy in force: what to, how it shows, how bad."""

    id: str
    name: str
    reaction: str
    criticality: str
    heard_at: int
    origin: str
    sender: str


class Block(msgspec.Struct, frozen=True, gc=False):
    """Where a block of the chart came from, and how old its newest part is; heard_at None when there is nothing."""

    origin: str
    sender: str
    heard_at: int | None


class Chart(msgspec.Struct, frozen=True):
    """All that is shown of a person, merged persons included.

    stays               newest first
    results             groups, the one with the newest point first
    results_are_cut     there are older results than those given
    blocks              "identity", "stay", "results", "documents", "allergies" → source and age
    """

    person: Person
    stays: list[Stay]
    results: list[ResultGroup]
    results_are_cut: bool
    documents: list[Document]
    allergies: list[Allergy]
    red_band: list[str]
    blocks: dict[str, Block]


class Feed(msgspec.Struct, frozen=True, gc=False):
    """What one sender sent of one type; last_at in microseconds."""

    sender: str
    type: str
    count: int
    last_at: int
    origin: str


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """What one hospital's node said last about one service: "down for whom" is answered by these.

    hospital    the node that measured it
    state       "normal", "degraded", "down" or "returning"
    since       when that state began there, microseconds
    checked_at  when it was measured last before it was said; an unchanged state is said again every ten minutes
    why         what the probe found, as a word of recovery.probe.reading: "up", "frozen", "refused"…
    """

    service: str
    hospital: str
    state: str
    since: int
    checked_at: int
    why: str


class Kept(msgspec.Struct, frozen=True, gc=False):
    """Input that is kept and waits for somebody who can read it."""

    pos: int
    type: str
    sender: str
    control_id: str
    received_at: int
    reason: str
    origin: str


class KeptCount(msgspec.Struct, frozen=True, gc=False):
    """How many of one type wait for one reason."""

    type: str
    reason: str
    count: int


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A version of a resource: json is complete FHIR, meta included."""

    type: str
    id: str
    version: int
    updated_at: int
    json: bytes


class Merge(msgspec.Struct, frozen=True, gc=False):
    """A merge or its undoing, as stated; is_in_force says whether it counts now."""

    loser_id: str
    winner_id: str
    is_merge: bool
    at: int
    origin: str
    pos: int
    is_in_force: bool


class Owed(msgspec.Struct, frozen=True, gc=False):
    """An event of this node that a destination has not settled. patient_id is empty for none."""

    pos: int
    patient_id: str
    kind: str
    recorded_at: int
    event_id: bytes
    sender: str


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """How the delivery of one event ended, the last time it was tried."""

    destination: str
    pos: int
    state: str
    ack: str
    attempts: int
    at: int
    patient_id: str
    kind: str
