"""DNS (RFC 1035): a known name resolves: answer code NOERROR and at least one record, over UDP.

A name service that answers "no such name" for a name that exists is down for everyone who asks it, so an empty answer
is not well.
"""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from releve.recovery.probe.reading import State, Verdict


def question(name: str, kind: str, query_id: int) -> bytes:
    """Return the question in wire form; an impossible name or kind raises dns.exception.DNSException."""
    wire: bytes = dns.message.make_query(name, kind, id=query_id).to_wire()
    return wire


def judge(answer: bytes, name: str, query_id: int) -> Verdict | None:
    """Return what an answer means, None when it is not an answer to this question."""
    try:
        message = dns.message.from_wire(answer, ignore_trailing=True)
    except dns.exception.DNSException:
        return None
    if message.id != query_id or not message.flags & dns.flags.QR:
        return None
    code = message.rcode()
    if code != dns.rcode.NOERROR:
        state: State = "starting" if code == dns.rcode.SERVFAIL else "wrong"
        return Verdict(state, f"it answers {dns.rcode.to_text(code)} for {name}")
    if not message.answer:
        return Verdict("wrong", f"it knows no {name}: the answer is empty")
    return Verdict("up", f"it resolves {name}")
