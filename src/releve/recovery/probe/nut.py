"""NUT, Network UPS Tools: the line protocol of upsd. A feed is well while its UPS is on line power (OL).

Source: NUT developer guide, "Network protocol information": GET VAR <ups> ups.status, answered by VAR or ERR.
"""

from __future__ import annotations

from releve.recovery.probe.dialogue import Dialogue, line
from releve.recovery.probe.reading import Verdict, clipped


def status(ups: str) -> Dialogue:
    """Return the dialogue that asks for the state of one UPS."""
    heard = bytearray()
    answer = yield from line(heard, b"GET VAR %s ups.status\n" % ups.encode())
    verdict = judge(answer, ups)
    return Verdict(verdict.state, verdict.detail, b"LOGOUT\n")


def judge(answer: bytes, ups: str) -> Verdict:
    """Return what an answer to GET VAR <ups> ups.status means."""
    text = answer.decode("utf-8", "replace")
    if text.startswith("ERR "):
        # Lost UPS data is never good news: while on battery it counts as battery low (recovery facts, section 5).
        return Verdict("wrong", f"its UPS cannot be read: {clipped(text[4:])}")
    prefix = f'VAR {ups} ups.status "'
    if not text.startswith(prefix):
        return Verdict("wrong", f"its answer is {clipped(text)!r}, expected {prefix}…")
    flags = text[len(prefix) :].rstrip('"').split()
    if "OB" in flags:
        return Verdict("battery", "on battery" + (", which is low" if "LB" in flags else ""))
    if "FSD" in flags:
        return Verdict("battery", "forced shutdown has been declared")
    if "OL" in flags:
        return Verdict("up", "on line power")
    return Verdict("wrong", f"its status is {' '.join(flags) or 'empty'}, neither OL nor OB")
