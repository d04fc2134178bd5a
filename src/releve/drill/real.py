"""An exercise with real processes: the demo's night is played, and its recovery becomes the evidence.

Programs are stopped, killed and restarted for real on this machine; nothing of an estate of one's own is touched. What
was measured is read from what the night left: its verdict, and the recovery folder that every hospital's node holds.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from releve.clock import Instant, wall_us
from releve.demo.hospitals import HOSPITALS
from releve.demo.play import Choice, play
from releve.demo.verdict import Restart, Times
from releve.drill.assessment import Assessment, assess
from releve.drill.evidence import write_evidence
from releve.drill.played import Moments, Played
from releve.drill.scenario import Inject, Scenario
from releve.estate import Bilingual, Estate, load
from releve.node.folder import RECOVERY_FOLDER
from releve.recovery.bound import Bound
from releve.recovery.folder import DECISIONS, FORECASTS, JOURNAL, RecoveryFolder
from releve.recovery.journal import Happened

_SCENARIO = Bilingual("Nuit de démonstration", "The demo's night")


class _Verdict(msgspec.Struct):
    """What is read of the night's verdict."""

    good: bool
    restart: Restart | None
    times: Times
    reports: list[str]


@dataclass(frozen=True)
class Outcome:
    """What a real exercise gives: how it went, and the values its page is made of."""

    is_good: bool
    estate: Estate
    scenario: Scenario
    played: Played
    found: Assessment


def play_real(folder: Path, choice: Choice, night: Path) -> Outcome | None:
    """Play the night in a folder of its own, and write the evidence; None when the night gave no verdict.

    folder  of the evidence
    night   an empty folder for the night; its nodes and logs stay there
    """
    verdict_file = night.with_name(f"{night.name}.json")
    play(replace(choice, folder=night, json=verdict_file))
    return evidence_of(folder, night, verdict_file, choice.seed) if verdict_file.exists() else None


def evidence_of(folder: Path, night: Path, verdict_file: Path, seed: int) -> Outcome:
    """Write the evidence of a night that was played.

    folder  of the evidence
    night   the folder in which it was played
    """
    verdict = msgspec.json.decode(verdict_file.read_bytes(), type=_Verdict)
    estate = load(night / "estate.toml")
    kept = night / "nodes" / HOSPITALS[0].id / RECOVERY_FOLDER
    for name in (JOURNAL, DECISIONS, FORECASTS):
        if (kept / name).exists():
            shutil.copy2(kept / name, folder / name)
    shutil.copytree(night / "reports", folder / "reports", dirs_exist_ok=True)
    recovery = RecoveryFolder(folder)
    journal, forecasts = recovery.journal(), recovery.forecasts()
    played = _played(verdict, journal, forecasts[0].issued_at if forecasts else None)
    scenario = Scenario(_SCENARIO, tuple(inject for _, inject in played.injected), seed)
    found = assess(estate, scenario, played, journal, forecasts)
    inputs = {"estate.toml": (night / "estate.toml").read_bytes(), "verdict.json": verdict_file.read_bytes()}
    write_evidence(folder, estate, scenario, played, found, made_at=wall_us(), inputs=inputs, is_real=True)
    return Outcome(verdict.good, estate, scenario, played, found)


def _played(verdict: _Verdict, journal: list[Happened], first_forecast: Instant | None) -> Played:
    """Return the moments of the night, from its verdict and its journal."""
    times = verdict.times
    restarts = [line for line in journal if line.kind == "run-began" and line.act == "restart"]
    ended = [line for line in journal if line.kind == "run-ended"]
    lost = next((line.at for line in journal if line.kind == "power-lost"), None)
    moments = Moments(
        began=times.mains_failed_at,
        lost=times.mains_failed_at,
        seen=lost,
        seen_by="probe",
        declared=times.declared_at or None,
        first_forecast=first_forecast,
        first_report=times.report_at or None,
        restart_began=restarts[-1].at if restarts else None,
        restart_ended=ended[-1].at if ended else None,
        ended=journal[-1].at if journal else times.mains_failed_at,
    )
    feeds = tuple(dict.fromkeys(line.unit for line in journal if line.kind == "power-lost"))
    back = next((line.at for line in journal if line.kind == "power-back"), moments.ended)
    assert back is not None
    restart = verdict.restart
    return Played(
        moments,
        reports=len({Path(path).name.split(".")[0] for path in verdict.reports}),
        bound=Bound(restart.lower_bound_s, restart.bottleneck, (), 0.0, {}) if restart is not None else None,
        left=tuple(restart.failed) if restart is not None else (),
        injected=[
            (times.mains_failed_at, Inject(0.0, falls=feeds)),
            (back, Inject((back - times.mains_failed_at) / 1e6, returns=feeds)),
        ],
    )
