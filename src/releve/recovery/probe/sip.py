"""SIP (RFC 3261, section 11): OPTIONS, answered by 200 within the same call and sequence number."""

from __future__ import annotations

from releve.recovery.probe.reading import Verdict, clipped


def options(host: str, port: int, token: str, user: str = "") -> bytes:
    """Return the question.

    token  random; names branch, tag and call, so that only an answer to this question counts
    user   whom to ask for at the host; empty: the server itself
    """
    name = f"[{host}]" if ":" in host else host
    target = f"sip:{user}@{name}:{port}" if user else f"sip:{name}:{port}"
    return (
        f"OPTIONS {target} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP probe.invalid:5060;branch=z9hG4bK{token};rport\r\n"
        "Max-Forwards: 5\r\n"
        f"From: <sip:releve@probe.invalid>;tag={token}\r\n"
        f"To: <{target}>\r\n"
        f"Call-ID: {token}@probe.invalid\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "Contact: <sip:releve@probe.invalid>\r\n"
        "Accept: application/sdp\r\n"
        "User-Agent: releve-probe\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def judge(answer: bytes, token: str) -> Verdict | None:
    """Return what an answer means, None when it is not ours or only provisional (1xx)."""
    head, _, _ = answer.decode("utf-8", "replace").partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    if not status.startswith("SIP/2.0 "):
        return None
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
    call = fields.get("call-id", fields.get("i", ""))
    if not call.startswith(token):
        return None
    code = status[8:11]
    if code.startswith("1"):
        return None
    if code == "200":
        return Verdict("up", "it answers OPTIONS with 200")
    if code == "503":
        return Verdict("starting", f"it answers {clipped(status[8:], 40)}")
    return Verdict("wrong", f"it answers OPTIONS with {clipped(status[8:], 40)}, expected 200")
