"""Drills: a past or an invented outage is played, times and decisions are scored, and the evidence is put together.

    scenario.py      what is played: injects, failures, decisions, goals; from a file, or from a case of a past outage
    exercise.py      the simulated exercise: dispatch and journal of a real restart, on a clock that does not wait
    world.py         what is down there, and how long things really take
    played.py        what it leaves behind beside its folder
    pace.py          the same at a pace that people can follow, with their decisions
    situation.py     its situation reports
    assessment.py    what was reached, beside the goals
    chronogramme.py  DEBEX, injects, FINEX: what was foreseen and what was observed
    real.py          the demo's night as an exercise: its programs are killed and restarted for real
    evidence.py      one folder with everything, each file with its SHA-256
    summary.py       the exercise on one page, French and English

Everything that leaves this room says EXERCICE.
"""
