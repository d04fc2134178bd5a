"""NTP (RFC 5905): a client's question; well is a synchronised server (stratum 1 to 15) whose clock agrees with ours.

Two clocks that disagree say nothing about which of them is wrong; the sentence says that they differ.
"""

from __future__ import annotations

from releve.clock import Instant
from releve.recovery.probe.reading import Verdict, clipped

PACKET_BYTES = 48
NONCE_BYTES = 8

#: Above this a clock is told to be off: log-ins by one-time code and the order of results bear seconds, not minutes,
#: and a synchronised clock is within milliseconds.
OFFSET_S_MAX = 1.0

#: From 1900, where NTP begins, to 1970.
_TO_1970_S = 2_208_988_800
_ERA_S = 2**32
_VERSION_4_CLIENT, _SERVER = 0x23, 4
_UNSYNCHRONISED = 3
#: Kiss codes by which a server tells of itself that it has no time yet (section 7.4); others send the caller away.
_STARTING = (b"INIT", b"STEP")


def question(nonce: bytes) -> bytes:
    """Return the question. Its transmit time is random: only an answer that repeats it is ours."""
    return bytes((_VERSION_4_CLIENT,)) + bytes(PACKET_BYTES - 1 - NONCE_BYTES) + nonce


def judge(
    answer: bytes, nonce: bytes, asked_at: Instant, heard_at: Instant, offset_s_max: float = OFFSET_S_MAX
) -> Verdict | None:
    """Return what an answer means, None when it is not an answer to this question.

    asked_at, heard_at  our own clock, microseconds
    """
    if len(answer) < PACKET_BYTES or answer[0] & 0x07 != _SERVER or answer[24:32] != nonce:
        return None
    stratum = answer[1]
    if stratum == 0 and (kiss := answer[12:16].rstrip(b"\0")) and kiss not in _STARTING:
        return Verdict("wrong", f"it sends callers away: {clipped(kiss)}")  # kiss-o'-death, section 7.4
    if answer[0] >> 6 == _UNSYNCHRONISED or stratum not in range(1, 16):
        return Verdict("starting", f"it answers but is not synchronised (stratum {stratum})")
    received_s, sent_s = _seconds(answer[32:40], asked_at), _seconds(answer[40:48], asked_at)
    asked_s, heard_s = asked_at / 1_000_000, heard_at / 1_000_000
    offset_s = ((received_s - asked_s) + (sent_s - heard_s)) / 2
    # The way there and back may be uneven, or the first question was lost: so much of the offset may be the way's.
    unsure_s = max(0.0, (heard_s - asked_s) - (sent_s - received_s)) / 2
    said = f"stratum {stratum}, its clock and ours differ by {abs(offset_s):.3f} s"
    if abs(offset_s) - unsure_s > offset_s_max:
        return Verdict("weak", f"{said}, more than {offset_s_max:g} s")
    return Verdict("up", said)


def _seconds(raw: bytes, near: Instant) -> float:
    """Return an NTP time as seconds since 1970, in the era that is nearest to `near`: the first one ends in 2036."""
    seconds = int.from_bytes(raw[:4], "big") - _TO_1970_S + int.from_bytes(raw[4:], "big") / _ERA_S
    return seconds + round((near / 1_000_000 - seconds) / _ERA_S) * _ERA_S
