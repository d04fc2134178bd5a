"""The certificate of a server, by its dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from releve.clock import to_instant
from releve.recovery.probe import tls

BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dossier.example")])
CERTIFICATE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1, BEGIN, END).sign(KEY, None).public_bytes(Encoding.DER)
)


def on(day: datetime, days_min: float = 14) -> tuple[str, str]:
    verdict = tls.judge(CERTIFICATE, to_instant(day), days_min)
    return verdict.state, verdict.detail


def test_a_certificate_is_well_until_it_must_be_renewed() -> None:
    assert on(END - timedelta(days=20)) == ("up", "its certificate is valid for 20 more days, until 2024-12-31")
    assert on(END - timedelta(days=5))[0] == "weak"
    assert on(END - timedelta(days=5), days_min=3)[0] == "up"


def test_a_certificate_that_ran_out_or_has_not_begun_is_wrong() -> None:
    assert on(END + timedelta(hours=1)) == ("wrong", "its certificate ran out on 2024-12-31")
    assert on(BEGIN - timedelta(days=1))[0] == "wrong"


@given(st.binary(max_size=200), st.integers(0, 200))
@example(b"\x01", 10)  # a version that no certificate has
def test_any_bytes_are_judged(data: bytes, place: int) -> None:
    tls.judge(data, to_instant(BEGIN))
    tls.judge(CERTIFICATE[:place] + data + CERTIFICATE[place + len(data) :], to_instant(BEGIN))
