"""releve drill WHAT: play an outage, score times and decisions, leave a folder of evidence.

WHAT is an estate file (.toml), a case of a past outage (.json), `demo` for the demo's hosting centre with 38 hospitals,
or, with --check, the evidence of an earlier exercise.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from releve.clock import to_datetime, wall_us
from releve.drill.assessment import assess
from releve.drill.chronogramme import foreseen, render_csv, render_text
from releve.drill.evidence import altered, make_folder, write_evidence
from releve.drill.exercise import Exercise
from releve.drill.pace import AtOnce, Live, Pace, console
from releve.drill.scenario import Scenario, from_case, from_case_on, power_cut, read_scenario
from releve.drill.situation import draft_situation
from releve.drill.summary import render_text as render_summary
from releve.drill.summary import summarize
from releve.errors import WrongUse
from releve.estate import Estate, load
from releve.estate.outage import read_outage
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened
from releve.sitrep import write

#: The programs of the demo start in seconds; a hosting centre's in minutes.
DEMO_TIMES_LONGER = 600.0

#: Lines of the journal that people at the console want to see.
_SHOWN = (
    "run-began",
    "failed",
    "up",
    "asked",
    "decided",
    "skipped",
    "refused",
    "released",
    "not-obeyed",
    "power-lost",
    "power-back",
    "run-ended",
)


@dataclass(frozen=True)
class _Played:
    """What is to be played, and the bytes that it was read from."""

    estate: Estate
    scenario: Scenario
    inputs: dict[str, bytes]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="WHAT", help="an estate file, a case of a past outage (.json), or demo")
    parser.add_argument(
        "--scenario", metavar="FILE", help="what is played: a scenario (.toml) or a past outage (.json)"
    )
    parser.add_argument("--minutes", type=float, default=210, metavar="MIN", help="length of the plain power cut")
    parser.add_argument("--factor", type=float, metavar="X", help="everything takes X times as long as believed")
    parser.add_argument("--seed", type=int, metavar="N", help="another seed draws other durations")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the evidence is left; it must be empty")
    parser.add_argument("--speed", type=float, metavar="X", help="watch it live, X times faster than the wall clock")
    parser.add_argument("--by", default="console", metavar="NAME", help="who decides at this console")
    parser.add_argument("--chronogramme", type=Path, metavar="FILE", help="write DEBEX, injects, FINEX; play nothing")
    parser.add_argument("--real", action="store_true", help="demo: kill and restart its real programs")
    parser.add_argument("--hospitals", type=int, default=3, metavar="N", help="--real: how many hospitals")
    parser.add_argument("--short", action="store_true", help="--real: a compressed night")
    parser.add_argument("--check", action="store_true", help="WHAT is a folder of evidence: prove that it is unaltered")
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of what is printed")


def run(options: argparse.Namespace) -> int:
    if options.check:
        return _check(Path(options.what))
    if options.real:
        return _play_real(options)
    playing = _playing(options)
    if options.chronogramme is not None:
        return _prepare(playing, options.chronogramme, options.lang)
    folder = make_folder(options.folder or Path(f"exercice-{to_datetime(wall_us()):%Y%m%d-%H%M%S}"))
    return _play(playing, folder, options)


def _playing(options: argparse.Namespace) -> _Played:
    what = Path(options.what)
    inputs: dict[str, bytes] = {}
    if options.what == "demo":
        estate = _demo_estate(inputs)
    elif what.suffix == ".json":
        case = read_outage(what)
        estate = case.estate
        inputs |= {"case.json": what.read_bytes(), "estate.toml": case.text.encode()}
    else:
        estate = load(what)
        inputs |= _files(estate)
    if options.scenario is None:
        scenario = from_case(case) if what.suffix == ".json" else power_cut(estate, options.minutes)
    else:
        path = Path(options.scenario)
        is_case = path.suffix == ".json"
        scenario = from_case_on(read_outage(path), estate) if is_case else read_scenario(path, estate)
        inputs["outage.json" if is_case else "scenario.toml"] = path.read_bytes()
    if options.factor is not None:
        if not 0 < options.factor <= 1000:
            raise WrongUse("drill.factor", f"--factor must be above 0 and at most 1000; found {options.factor:g}.")
        scenario = replace(scenario, factor=options.factor)
    if options.seed is not None:
        scenario = replace(scenario, seed=options.seed)
    return _Played(estate, scenario, inputs)


def _play(playing: _Played, folder: Path, options: argparse.Namespace) -> int:
    estate, scenario = playing.estate, playing.scenario
    recovery = RecoveryFolder(folder)
    at = scenario.begins_at if scenario.begins_at is not None else wall_us()
    pace: Pace = AtOnce()
    if options.speed is not None:
        if options.speed <= 0:
            raise WrongUse("drill.speed", f"--speed must be above 0; found {options.speed:g}.")
        pace = Live(estate, recovery, at, speed=options.speed, by=options.by, on_wrong=print, console=console())
        print(f"EXERCICE {folder}")

    def show(line: Happened) -> None:
        if options.speed is not None and line.kind in _SHOWN:
            clock = to_datetime(line.at).astimezone(ZoneInfo(estate.zone)).strftime("%H:%M:%S")
            name = estate.units[line.unit].name.in_language(options.lang) if line.unit else ""
            print(
                f"EXERCICE {clock} {line.kind:11} {name} {line.hospital} {line.detail} {line.by}".rstrip(), flush=True
            )

    numbers = iter(range(1, 10_000))

    def report(exercise: Exercise) -> None:
        write(draft_situation(exercise, next(numbers), scenario.report_every_s), folder / "reports")

    exercise = Exercise(estate, scenario, recovery, at, on_report=report, on_event=show, pace=pace)
    with recovery.held():  # so that whoever decides from elsewhere is told that somebody listens
        played = exercise.play()
    found = assess(estate, scenario, played, exercise.journal, exercise.forecasts)
    write_evidence(folder, estate, scenario, played, found, made_at=wall_us(), inputs=playing.inputs)
    print(render_summary(summarize(estate, scenario, found, tuple(played.questions), options.lang)), end="")
    print(folder / f"summary.{options.lang}.html")
    return 0 if found.is_complete else 1


def _play_real(options: argparse.Namespace) -> int:
    """Play the demo's night for real; its processes are this machine's own, whatever estate there is elsewhere."""
    if options.what != "demo":
        raise WrongUse(
            "drill.real",
            f"--real stops and kills programs, and does so with the demo's only: give demo, not {options.what!r}. "
            "An estate of your own is played simulated, without --real. Nothing was started.",
        )
    from releve.demo.play import SEED, Choice
    from releve.drill.real import play_real

    folder = make_folder(options.folder or Path(f"exercice-{to_datetime(wall_us()):%Y%m%d-%H%M%S}")).absolute()
    choice = Choice(
        options.hospitals,
        options.seed or SEED,
        is_short=options.short,
        is_plain=not sys.stdout.isatty(),
        lang=options.lang,
    )
    outcome = play_real(folder, choice, folder.with_name(f"{folder.name}-night"))
    if outcome is None:
        return 1
    page = summarize(
        outcome.estate, outcome.scenario, outcome.found, tuple(outcome.played.questions), options.lang, is_real=True
    )
    print(render_summary(page), end="")
    print(folder / f"summary.{options.lang}.html")
    return 0 if outcome.is_good and outcome.found.is_complete else 1


def _prepare(playing: _Played, path: Path, lang: str) -> int:
    rows = foreseen(playing.estate, playing.scenario, lang)
    began = playing.scenario.begins_at if playing.scenario.begins_at is not None else wall_us()
    render = render_csv if path.suffix == ".csv" else render_text
    path.write_bytes(render(rows, began, playing.estate.zone, lang).encode())
    print(path)
    return 0


def _check(folder: Path) -> int:
    wrong = altered(folder)
    for name in wrong:
        print(f"{name}: not as it was when the evidence was made")
    if not wrong:
        print(f"{folder}: every file is as it was when the evidence was made.")
    return 1 if wrong else 0


def _demo_estate(inputs: dict[str, bytes]) -> Estate:
    """Return the demo's hosting centre, its starts as long as those of a real one."""
    from releve.demo.estate import PLACES, write_estate
    from releve.demo.hospitals import HOSPITALS

    with TemporaryDirectory(prefix="releve-drill-") as folder:
        path = Path(folder) / "estate.toml"
        ports = {place.id: 1 for place in PLACES}
        write_estate(path, Path("room.json"), ports, HOSPITALS, 1 / DEMO_TIMES_LONGER)
        inputs["estate.toml"] = path.read_bytes()
        return load(path)


def _files(estate: Estate) -> dict[str, bytes]:
    """Return the files of an estate by their path beside the first one."""
    found = {}
    top = Path(estate.files[0]).parent if estate.files else Path()
    for number, file in enumerate(estate.files):
        name = f"{number:02}-{Path(file).name}"
        with suppress(ValueError):
            name = Path(file).relative_to(top).as_posix().replace("/", "__")
        found[name] = Path(file).read_bytes()
    return found
