"""The tree of an ORU: patients, their orders, the results of each order, and the notes to what they follow.

ORC may be missing or stand alone; several OBR may follow one ORC; NTE belongs to the segment before it; SPM belongs to
the OBR before it; a PID begins a new patient. Source: HL7 v2.5.1 7.3.1 (ORU^R01).
"""

from __future__ import annotations

from releve.wire.hl7v2 import Message, Segment


class Result:
    """An OBX and the notes that follow it."""

    __slots__ = ("notes", "obx")

    def __init__(self, obx: Segment) -> None:
        self.obx = obx
        self.notes: list[Segment] = []


class Order:
    """An OBR (None when OBX came without one) with the ORC before it, its results, notes and first specimen."""

    __slots__ = ("notes", "obr", "orc", "results", "spm")

    def __init__(self, orc: Segment | None, obr: Segment | None) -> None:
        self.orc = orc
        self.obr = obr
        self.spm: Segment | None = None
        self.results: list[Result] = []
        self.notes: list[Segment] = []


class PatientGroup:
    """A patient with the orders that are about them; pid is None for orders before any PID."""

    __slots__ = ("orders", "pid", "pv1")

    def __init__(self, pid: Segment | None) -> None:
        self.pid = pid
        self.pv1: Segment | None = None
        self.orders: list[Order] = []


def orders_of(message: Message) -> tuple[list[PatientGroup], str]:
    """Return the patients of an ORU in order, and a sentence about what had no place ("" when all had)."""
    groups: list[PatientGroup] = []
    group: PatientGroup | None = None
    order: Order | None = None
    orc: Segment | None = None
    notes: list[Segment] | None = None
    remark = ""
    for segment in message.segments:
        name = segment.name
        if name == "OBX":
            if group is None:
                group = PatientGroup(None)
                groups.append(group)
            if order is None:
                order = Order(orc, None)
                group.orders.append(order)
            result = Result(segment)
            order.results.append(result)
            notes = result.notes
        elif name == "NTE":
            if notes is not None:
                notes.append(segment)
        elif name == "OBR":
            if group is None:
                group = PatientGroup(None)
                groups.append(group)
            order = Order(orc, segment)
            group.orders.append(order)
            notes = order.notes
        elif name == "ORC":
            if orc is not None and order is None:
                remark = "an ORC without OBR names no result; it is kept, not charted."
            orc, order, notes = segment, None, None
        elif name == "PID":
            group = PatientGroup(segment)
            groups.append(group)
            order = orc = notes = None
        elif name == "PV1":
            if group is not None and order is None:
                group.pv1 = segment
        elif name == "SPM" and order is not None and order.spm is None:
            order.spm = segment
            notes = None
    if orc is not None and order is None:
        remark = "an ORC without OBR names no result; it is kept, not charted."
    return groups, remark
