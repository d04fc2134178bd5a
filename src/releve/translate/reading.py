"""One message being read: how it is written, when it counts as said, and the remarks that gather on the way.

Where a message gives no usable time the arrival stands in and a remark says so. Source: HL7 v2.5.1, 3.4.1 (EVN).
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from releve.clock import Instant
from releve.translate.grammar import Grammar, grammar_of
from releve.translate.time import AMBIGUOUS, NONEXISTENT, Moment, parse_moment
from releve.wire.hl7v2 import Message

#: A broken sender must not fill the log with sentences about itself; the bytes are kept anyway.
REMARKS_MAX = 50
#: A message whose time lies further ahead than this has a wrong clock, or is a plan; two days cover every time zone.
_AHEAD_MAX_US = 48 * 3600 * 1_000_000

_FLAGS = {
    AMBIGUOUS: "occurs twice that night; read as the first time",
    NONEXISTENT: "does not exist that night; read with the offset before the change",
}


class Reading:
    """A message with its grammar, its sender's zone and the remarks made so far.

    received_at  when this node heard it
    remarked     how often anything was remarked, repetitions counted
    sent_at      MSH-7 as an instant, else received_at
    """

    __slots__ = ("_clear", "grammar", "message", "received_at", "remarked", "remarks", "sent_at", "zone")

    def __init__(self, message: Message, received_at: Instant, zone: ZoneInfo) -> None:
        self.message = message
        self.grammar: Grammar = grammar_of(message)
        self.zone = zone
        self.received_at = received_at
        self.remarks: list[str] = []
        self.remarked = 0
        self._clear: dict[str, Moment] = {}  # a message repeats one time in many fields; nothing to remark in these
        sent = self.moment(message.segments[0].raw(7), "MSH-7")
        self.sent_at = sent.at if sent else received_at
        if sent is None:
            self.remark("hl7v2.no-time", "MSH-7 gives no time; what depends on it counts from the arrival.")
        elif sent.at > received_at + _AHEAD_MAX_US:
            self.remark("hl7v2.time-ahead", f"MSH-7 says {sent.iso}, which is more than two days ahead of this node.")

    def remark(self, code: str, sentence: str) -> None:
        """Add a remark, once, and never more than REMARKS_MAX."""
        self.remarked += 1
        text = f"{code}: {sentence}"
        if len(self.remarks) < REMARKS_MAX and text not in self.remarks:
            self.remarks.append(text)

    def moment(self, exact: str, place: str) -> Moment | None:
        """Return the time in a field, None when it has none; a time that cannot be read or is doubtful is remarked.

        place  such as "OBX-14", for the remark
        """
        if not exact or exact == '""':
            return None
        known = self._clear.get(exact)
        if known is not None:
            return known
        given = exact
        if not exact.isdigit():
            grammar = self.grammar
            exact = grammar.part(grammar.components(grammar.first(exact)), 0)
            if not exact:
                return None
        moment = parse_moment(exact, self.zone)
        if moment is None:
            self.remark("hl7v2.time-unreadable", f"{place} {exact[:30]!r} is no HL7 time; left out.")
        elif moment.flag:
            self.remark(moment.flag, f"{place} {exact[:30]} without an offset {_FLAGS[moment.flag]}.")
        else:
            self._clear[given] = moment
        return moment
