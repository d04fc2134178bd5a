"""TLS: how long the certificate is still valid. Run out is not well; about to run out works and says so.

Who signed it is not asked: a hospital's own authority is as good as any, and the probe gives nothing away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from releve.clock import Instant, to_datetime
from releve.recovery.probe.dialogue import Dialogue
from releve.recovery.probe.reading import Verdict

#: Long enough to have a certificate made in working hours, holidays included.
DAYS_MIN = 14.0


def expiry(certificates: Sequence[bytes], now: Instant, days_min: float = DAYS_MIN) -> Dialogue:
    """Return a dialogue that says nothing: the handshake has brought the certificate.

    certificates  what the server showed, DER; filled by the time the dialogue begins
    """
    return judge(certificates[0] if certificates else b"", now, days_min)
    yield b""  # unreachable, and what makes this a dialogue


def judge(certificate: bytes, now: Instant, days_min: float = DAYS_MIN) -> Verdict:
    """Return what the dates of a certificate (DER) mean."""
    try:
        found = x509.load_der_x509_certificate(certificate)
        begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        return Verdict("wrong", "it shows no certificate that can be read")
    today = to_datetime(now)
    left = (ends - today) / timedelta(days=1)
    if left < 0:
        return Verdict("wrong", f"its certificate ran out on {ends:%Y-%m-%d}")
    if today < begins:
        return Verdict("wrong", f"its certificate is valid only from {begins:%Y-%m-%d}: is a clock wrong?")
    said = f"its certificate is valid for {left:.0f} more days, until {ends:%Y-%m-%d}"
    return Verdict("weak" if left < days_min else "up", said)
