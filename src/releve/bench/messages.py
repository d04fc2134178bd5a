"""The traffic of the benchmarks: French HL7 v2 as a hospital's admission desk and laboratory send it, from a seed.

One message in five is an ADT (admission, transfer, update, discharge), four are ORU of one to eight results, 2.9 on
average: single troponins and potassiums, pairs, a blood count now and then. Everything is invented.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

_FAMILIES = [
    "MARTIN",
    "BERNARD",
    "DUBOIS",
    "THOMAS",
    "ROBERT",
    "RICHARD",
    "PETIT",
    "DURAND",
    "LEROY",
    "MOREAU",
    "SIMON",
    "LAURENT",
    "LEFÈVRE",
    "GARCIA",
]
_GIVEN = [
    "Marie",
    "Jean",
    "Françoise",
    "Pierre",
    "Hélène",
    "Michel",
    "Amélie",
    "Noël",
    "Chloé",
    "Karim",
    "Inès",
    "Théo",
    "Zoé",
    "Loïc",
    "Aïcha",
    "Étienne",
]
_WARDS = ("CARDIO", "PNEUMO", "URGENCES", "CHIRDIG", "GERIA", "NEURO", "MATER", "REA")
# LOINC code, name, unit, low, high, usual, spread
_ANALYTES = (
    ("2823-3", "Potassium", "mmol/L", 3.5, 5.1, 4.2, 0.5),
    ("2951-2", "Sodium", "mmol/L", 136.0, 145.0, 140.0, 3.0),
    ("2160-0", "Créatinine", "µmol/L", 49.0, 90.0, 75.0, 20.0),
    ("718-7", "Hémoglobine", "g/dL", 12.0, 16.0, 13.2, 1.5),
    ("6690-2", "Leucocytes", "10*9/L", 4.0, 10.0, 7.5, 2.5),
    ("777-3", "Plaquettes", "10*9/L", 150.0, 400.0, 250.0, 60.0),
    ("1988-5", "Protéine C réactive", "mg/L", 0.0, 5.0, 6.0, 8.0),
    ("2345-7", "Glucose", "mmol/L", 3.9, 6.1, 5.6, 1.4),
)
_PANEL_SIZES = (1, 1, 1, 2, 2, 3, 5, 8)
ADT_SHARE = 0.2

#: The night the project is for.
NIGHT = datetime(2024, 8, 3, 11, 0, 0)  # noqa: DTZ001 - HL7 v2 as French feeds write it: local time without an offset


class Traffic:
    """An endless, repeatable stream of messages about a fixed number of patients.

    seed      the same seed gives the same bytes
    patients  how many people the messages are about
    site      the sending facility
    after_s   seconds of the night gone by at the first message; one message comes a second
    """

    def __init__(self, seed: int, patients: int, site: str = "H01", *, after_s: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a generator of test traffic
        self._patients = patients
        self._site = site
        self._seed = seed
        self._number = 0
        self._after_s = after_s
        self._visits: dict[int, int] = {}

    def messages(self, count: int) -> Iterator[bytes]:
        """Yield so many messages, unframed, each with its own MSH-10."""
        for _ in range(count):
            patient = self._random.randrange(self._patients)
            yield self.admission(patient) if self._random.random() < ADT_SHARE else self.results(patient)

    def admission(self, patient: int, event: str = "") -> bytes:
        """Return an ADT of a patient's stay; the event is drawn when it is empty, most often an admission."""
        event = event or self._random.choices(("A01", "A02", "A08", "A03"), (6, 2, 2, 1))[0]
        if event == "A01":
            self._visits[patient] = self._visits.get(patient, 0) + 1
        at = self._stamp()
        ward, bed = self._random.choice(_WARDS), self._random.randrange(1, 60)
        place = f"{ward}^{100 + bed // 2:03}^{bed % 2 + 1}^{self._site}"
        lines = [
            self._header("DPI", f"ADT^{event}^ADT_{'A01' if event != 'A03' else 'A03'}", at),
            f"EVN|{event}|{at}||||{at}",
            self._identity(patient),
            f"PV1|1|I|{place}||||||||||||||||{self._visit(patient)}^^^{self._site}^VN",
            f"ZBE|{self._number}^{self._site}|{at}||INSERT|N|{event}|^^^^^^UF^^^{ward}||M",
        ]
        return "\r".join([*lines, ""]).encode()

    def results(self, patient: int, size: int = 0) -> bytes:
        """Return an ORU of one panel; size is drawn when 0."""
        at = self._stamp()
        size = size or self._random.choice(_PANEL_SIZES)
        order = f"{self._site}{self._after_s + self._number:09}"
        lines = [
            self._header("LAB", "ORU^R01^ORU_R01", at),
            f"PID|1||{patient:09}^^^APHP&1.2.250.1.999.1&ISO^PI||{self._name(patient)}",
            f"PV1|1|I|||||||||||||||||{self._visit(patient)}^^^{self._site}^VN",
            f"ORC|RE|{order}|{order}",
            f"OBR|1|{order}|{order}|BIO^Biologie^L|||{at}|||||||||||||||{at}||LAB|F",
        ]
        for index, (code, name, unit, low, high, usual, spread) in enumerate(self._random.sample(_ANALYTES, size), 1):
            value = max(0.1, self._random.gauss(usual, spread))
            flag = "H" if value > high else "L" if value < low else "N"
            lines.append(f"OBX|{index}|NM|{code}^{name}^LN||{value:.1f}|{unit}|{low:g}-{high:g}|{flag}|||F|||{at}")
        return "\r".join([*lines, ""]).encode()

    def _header(self, application: str, kind: str, at: str) -> str:
        self._number += 1
        control_id = f"{self._seed}-{self._number}"
        route = f"{application}|{self._site}|RELEVE|{self._site}"
        return f"MSH|^~\\&|{route}|{at}||{kind}|{control_id}|P|2.5|||||FRA|UNICODE UTF-8"

    def _visit(self, patient: int) -> str:
        return f"V{self._after_s}-{self._visits.get(patient, 0)}-{patient}"

    def _stamp(self) -> str:
        return (NIGHT + timedelta(seconds=self._after_s + self._number)).strftime("%Y%m%d%H%M%S")

    def _name(self, patient: int) -> str:
        return f"{_FAMILIES[patient % 14]}^{_GIVEN[patient // 14 % 16]}^^^^^L"

    def _identity(self, patient: int) -> str:
        birth = f"{1930 + patient % 80}{1 + patient % 12:02}{1 + patient % 28:02}"
        sex = "F" if patient % 2 else "M"
        return (
            f"PID|1||{patient:09}^^^APHP&1.2.250.1.999.1&ISO^PI||{self._name(patient)}||{birth}|{sex}|||"
            f"1 rue de la Paix^^Paris^^75002^FRA||0102030405||||||||||||||||||VALI"
        )


def frame(message: bytes) -> bytes:
    """Return a message as MLLP sends it."""
    return b"\x0b" + message + b"\x1c\r"
