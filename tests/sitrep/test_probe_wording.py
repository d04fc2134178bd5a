"""What probes say is said in French too: each sentence here is what the probe itself makes of an answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from releve.recovery.probe import Verdict, dicom, imap, mllp, ntp, nut, redfish, snmp, tls
from releve.recovery.probe.dialogue import Dialogue
from releve.recovery.probe.reading import Unwell
from releve.sitrep.probe_wording import in_french
from releve.sitrep.wording import evidence_text, seen

#: 3 August 2024, 12:00 UTC.
NOON = 1_722_686_400_000_000


def french(verdict: Verdict | None) -> str:
    assert verdict is not None
    # The narrow spaces of French print are looked at apart; here the words count.
    return seen(verdict.state, verdict.detail).fr.replace("\u202f", " ").replace("\u00a0", " ")


def held(dialogue: Dialogue, *answers: bytes) -> Verdict:
    """Return what a dialogue makes of these answers."""
    try:
        next(dialogue)
        for answer in answers:
            dialogue.send(answer)
    except StopIteration as end:
        verdict: Verdict = end.value
        return verdict
    except Unwell as unwell:
        return unwell.verdict
    raise AssertionError("it waits for more")


def certificate(ends: datetime, begins: datetime = datetime(2023, 1, 1, tzinfo=UTC)) -> bytes:
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "probe.example")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(begins).not_valid_after(ends)
    return made.sign(key, SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (90, "certificat valable encore 90 jours, jusqu’au 01/11/2024"),
        (3, "fonctionne, avec un défaut : certificat valable encore 3 jours, jusqu’au 06/08/2024"),
        (1, "fonctionne, avec un défaut : certificat valable encore 1 jour, jusqu’au 04/08/2024"),
        (-2, "certificat expiré depuis le 01/08/2024"),
    ],
)
def test_how_long_a_certificate_is_valid(days: int, says: str) -> None:
    noon = datetime(2024, 8, 3, 12, tzinfo=UTC)
    assert french(tls.judge(certificate(noon + timedelta(days=days)), NOON)) == says


def test_a_certificate_of_tomorrow_and_none() -> None:
    later = certificate(datetime(2025, 1, 1, tzinfo=UTC), datetime(2024, 9, 1, tzinfo=UTC))
    says = "certificat valable seulement à partir du 01/09/2024 : une horloge est-elle fausse ?"
    assert french(tls.judge(later, NOON)) == says
    assert french(tls.judge(b"", NOON)) == "ne montre aucun certificat lisible"


def test_a_clock_that_is_off_or_not_synchronised() -> None:
    def answer(stratum: int, off_s: float) -> bytes:
        seconds = NOON / 1e6 + off_s + 2_208_988_800
        stamp = int(seconds).to_bytes(4, "big") + int(seconds % 1 * 2**32).to_bytes(4, "big")
        return bytes((0x24, stratum)) + bytes(22) + b"8 random" + stamp + stamp

    def said(stratum: int, off_s: float = 0.0) -> str:
        return french(ntp.judge(answer(stratum, off_s), b"8 random", NOON, NOON))

    assert said(2) == "strate 2, son horloge et la nôtre diffèrent de 0,000 s"
    off = "fonctionne, avec un défaut : strate 2, son horloge et la nôtre diffèrent de 3,500 s, plus de 1 s"
    assert said(2, 3.5) == off
    assert said(16) == "répond, mais son horloge n’est pas synchronisée (strate 16)"


@pytest.mark.parametrize(
    ("system", "says"),
    [
        ({"PowerState": "On", "Status": {"Health": "OK"}}, "sous tension, état du matériel : bon"),
        (
            {"PowerState": "On", "Status": {"Health": "Warning"}},
            "fonctionne, avec un défaut : sous tension, état du matériel : avertissement",
        ),
        ({"PowerState": "On", "Status": {"Health": "Critical"}}, "sous tension, état du matériel : critique"),
        ({"PowerState": "On"}, "sous tension ; ne dit rien de son état matériel"),
        ({"PowerState": "Off"}, "hors tension"),
        ({"PowerState": "PoweringOn"}, "mise sous tension en cours"),
        ({}, "ne dit pas s’il est sous tension : ce n’est pas l’adresse d’une machine"),
    ],
)
def test_the_health_of_a_machine(system: dict[str, object], says: str) -> None:
    assert french(redfish.judge(json.dumps(system).encode())) == says


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((2, 0, 14, 97, 3), "sur secteur"),
        ((3, 61, 4, 22, 5), "sur batterie depuis 61 s, encore 4 min, charge 22 %, batterie basse"),
        ((2, 725, None, None, 5), "sur batterie depuis 12 min 05 s"),
        ((2, None, 90, None, 5), "sur batterie, encore 90 min"),
        ((3, 0, 4, 22, 6), "fonctionne, avec un défaut : sur secteur, tension relevée (booster), batterie basse"),
        ((2, 0, 4, 22, 4), "fonctionne, avec un défaut : en dérivation (bypass) : sur secteur, sans batterie derrière"),
        ((2, 0, 4, 22, None), "ne dit pas d’où vient son courant : pas un onduleur selon la RFC 1628"),
    ],
)
def test_where_a_ups_has_its_power_from(values: snmp.Values, says: str) -> None:
    assert french(snmp.judge_values(*values)) == says


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (b'VAR ups ups.status "OB LB"', "sur batterie, batterie basse"),
        (b'VAR ups ups.status "OL"', "sur secteur"),
        (b'VAR ups ups.status "FSD"', "arrêt forcé déclaré"),
        (b"ERR DATA-STALE", "l’onduleur ne peut pas être lu (« DATA-STALE »)"),
    ],
)
def test_what_upsd_says_of_a_ups(status: bytes, says: str) -> None:
    assert french(nut.judge(status, "ups")) == says


def test_a_mailbox_that_opens_or_refuses() -> None:
    def said(*answers: bytes) -> str:
        return french(held(imap.open_inbox("probe", "geheim"), *answers))

    assert said(b"* OK\r\n", b"a OK\r\n", b"b OK\r\n") == "le compte se connecte et sa boîte de réception s’ouvre"
    assert said(b"* OK\r\n", b"a NO don't\r\n") == "refuse la connexion du compte (« NO don't »)"
    assert said(b"* OK\r\n", b"a OK\r\n", b"b NO none\r\n") == "n’ouvre pas la boîte de réception (« NO none »)"
    assert said(b"* BYE full\r\n") == "ne prend pas de connexion pour l’instant (« full »)"


def test_an_archive_that_refuses_an_association() -> None:
    def said(result: int, source: int, reason: int) -> str:
        return french(held(dicom.echo(), bytes((3, 0, 0, 0, 0, 4, 0, result, source, reason))))

    assert said(1, 1, 7) == "refuse l’association DICOM : personne n’y répond sous ce titre AE"
    assert said(1, 1, 3) == "refuse l’association DICOM : il ne connaît pas le titre AE appelant"
    assert said(2, 3, 1) == "refuse l’association DICOM : il est saturé pour l’instant"
    assert said(1, 9, 9) == "refuse l’association DICOM : « source 9, reason 9 »"


def test_a_message_that_is_refused() -> None:
    verdict = mllp.judge(b"MSH|^~\\&|X\rMSA|AE|4711\r", "4711", frozenset(("AA", "CA")))
    assert french(verdict) == "répond « AE » à notre message, attendu : AA ou CA"


def test_evidence_is_told_in_the_same_words_and_with_the_spaces_of_french_print() -> None:
    assert evidence_text("on battery for 61 s, 22 %", "fr") == "sur batterie depuis 61\u202fs, charge 22\u202f%"
    assert evidence_text("on battery for 61 s, 22 %", "en") == "on battery for 61 s, 22 %"
    assert seen("wrong", "it answers 500 Oops, expected 2xx").fr == "répond «\u00a0500 Oops\u00a0» au lieu de 2xx"


def test_a_fault_without_words_is_quoted() -> None:
    assert seen("weak", "it hums").fr == "fonctionne, avec un défaut («\u00a0it hums\u00a0»)"


@given(st.text())
def test_whatever_a_probe_says_is_no_error(detail: str) -> None:
    assert in_french(detail) is None or in_french(detail)
