"""One small centre with everything that a drill can ask of people, and one cut."""

from __future__ import annotations

from collections.abc import Callable

from releve.drill.exercise import Exercise

Play = Callable[..., Exercise]

#: 3 August 2024, 11:00 in Paris, in seconds.
BEGAN_S = 1_722_675_600

CENTRE = """
[estate]
name = {fr = "Centre", en = "Centre"}

[[site]]
id = "H01"
name = "Hôpital du Nord"

[[site]]
id = "H02"
name = "Hôpital du Sud"

[[contact]]
id = "dba"
name = {fr = "Astreinte bases", en = "Database duty"}
phone = "+33 1 00 00 00 01"

[[contact]]
id = "pharmacist"
name = {fr = "Pharmacien de garde", en = "Pharmacist on duty"}
phone = "+33 1 00 00 00 02"

[[capacity]]
id = "crew"
amount = 1

[[feed]]
id = "power"
name = {fr = "Courant", en = "Power"}
probe = "tcp://127.0.0.1:1"

[[unit]]
id = "database"
name = {fr = "Base", en = "Database"}
needs = ["power"]
uses = {crew = 1}
tries = 2
owner = "dba"
duration = {p50_s = 600, p90_s = 900}
start = {command = ["x"]}
check = {command = ["x"]}
probe = "tcp://127.0.0.1:1"

[[unit]]
id = "door"
name = {fr = "Porte de l’étage", en = "Door of the floor"}
needs = ["power"]
duration = {p50_s = 300, p90_s = 400}
start = {person = "dba", do = {fr = "Ouvrir", en = "Open it"}}

[[service]]
id = "record"
name = {fr = "Dossier patient", en = "Patient record"}
tier = 1
clinical = 1
needs = ["database"]
uses = {crew = 1}
duration = {p50_s = 900, p90_s = 1200}
start = {command = ["x"]}
release = "pharmacist"
released_by_hospital = true

[[service]]
id = "mail"
name = {fr = "Messagerie", en = "Internal mail"}
tier = 2
needs = ["power", "door"]
uses = {crew = 1}
duration = {p50_s = 300, p90_s = 400}
start = {command = ["x"]}
"""

CUT = """
[scenario]
name = {fr = "Coupure", en = "Cut"}
begins = "2024-08-03T11:00"
answer_min = 20

[[inject]]
at_min = 0
falls = ["kind:feed"]

[[inject]]
at_min = 60
returns = ["power"]
words = {fr = "Le courant est revenu.", en = "Power is back."}
expected = {fr = "Redémarrage", en = "Restart"}
"""


def told(exercise: Exercise, *kinds: str) -> list[str]:
    """Return what the journal says of some kinds: "minute kind unit hospital"."""
    return [
        f"{line.kind} {line.unit} {line.hospital}".rstrip()
        for line in exercise.journal
        if not kinds or line.kind in kinds
    ]
