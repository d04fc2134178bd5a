"""The simulated exercise: what falls, what is seen, what comes back in order, and what people are asked on the way."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drill.scene import BEGAN_S, CUT, Play, told
from releve.drill.played import CONTROL
from releve.recovery.folder import Decision

US = 1_000_000


def decision(verb: str, after_min: float, unit: str = "", hospital: str = "", by: str = "Dr Alice") -> str:
    return (
        f'\n[[decision]]\nverb = "{verb}"\nby = "{by}"\nafter_min = {after_min}\nunit = "{unit}"\n'
        f'hospital = "{hospital}"\nreason = "as agreed"\n'
    )


def test_the_journal_of_a_cut_reads_like_that_of_a_real_restart(play: Play) -> None:
    exercise = play()
    lines = told(exercise)
    assert lines[:5] == ["power-lost power", "unclean database", "unclean door", "unclean mail", "unclean record"]
    assert lines[5:8] == ["power-back power", "run-began", "already-up power"]
    assert [line for line in lines if line.endswith("database")] == [
        "unclean database",
        "start-began database",
        "up database",
        "check-began database",
        "checked database",
    ]
    assert lines.index("checked database") < lines.index("start-began record")
    assert lines[-1] == "run-ended"
    assert exercise.journal[-1].left == 0
    assert exercise.played.left == ()


def test_the_loss_is_seen_by_a_probe_and_declared_within_two_minutes(play: Play) -> None:
    moments = play().played.moments
    assert moments.began == BEGAN_S * US
    assert moments.lost == moments.began
    assert moments.seen == moments.began + 5 * US
    assert moments.seen_by == "probe"
    assert moments.declared == moments.began + 10 * US
    assert moments.first_forecast == moments.declared
    assert moments.restart_began == moments.began + 3600 * US


def test_the_restart_takes_no_less_than_its_bound_and_respects_the_crew(play: Play) -> None:
    exercise = play()
    played = exercise.played
    assert played.bound is not None
    assert played.moments.restart_ended is not None
    assert played.moments.restart_began is not None
    assert (played.moments.restart_ended - played.moments.restart_began) / US >= played.bound.least_s - 1e-3
    busy = 0
    for line in exercise.journal:
        if line.unit in ("database", "record", "mail"):
            busy += {"start-began": 1, "up": -1}.get(line.kind, 0)
            assert busy <= 1


def test_what_nobody_answers_is_answered_by_exercise_control_and_says_so(play: Play) -> None:
    exercise = play()
    asked = {(one.act, one.unit, one.hospital): one.by for one in exercise.played.questions}
    assert asked == {
        ("start", "door", ""): CONTROL,
        ("release", "record", "H01"): CONTROL,
        ("release", "record", "H02"): CONTROL,
    }
    decided = [line for line in exercise.journal if line.kind == "decided"]
    assert {line.by for line in decided} == {CONTROL}
    assert [line.detail for line in decided if line.unit == "record"] == ["release: nobody answered in time"] * 2


def test_a_scripted_release_counts_for_its_hospital_and_its_delay_is_kept(play: Play) -> None:
    exercise = play(decision("release", 3, "record", "H02") + decision("release", 1, "record", "H01"))
    waits = {one.hospital: (one.waited_s, one.by) for one in exercise.played.questions if one.act == "release"}
    assert waits == {"H01": (60.0, "Dr Alice"), "H02": (180.0, "Dr Alice")}
    assert told(exercise, "released") == ["released record H01", "released record H02"]


def test_a_refused_release_is_asked_again(play: Play) -> None:
    exercise = play(decision("refuse", 2, "record", "H01"))
    assert told(exercise, "refused") == ["refused record H01"]
    answers = [(one.verb, one.by) for one in exercise.played.questions if one.hospital == "H01"]
    assert answers == [("refuse", "Dr Alice"), ("release", CONTROL)]


def test_a_start_that_fails_is_tried_again_and_then_asked_about(play: Play) -> None:
    once = play('\n[[failure]]\nunit = "database"\n', folder="once")
    assert told(once, "try-failed", "failed") == ["try-failed database"]
    assert once.played.left == ()

    for_good = play(
        '\n[[failure]]\nunit = "database"\ntries = 2\n' + decision("retry", 7, "database"), folder="for-good"
    )
    assert told(for_good, "try-failed", "failed", "blocked") == [
        "try-failed database",
        "failed database",
        "blocked record",
    ]
    [failed] = [one for one in for_good.played.questions if one.act == "failed"]
    assert (failed.verb, failed.by, failed.waited_s) == ("retry", "Dr Alice", 420.0)
    assert for_good.played.left == ()


def test_a_skipped_unit_releases_what_needs_it_and_is_not_said_to_be_up(play: Play) -> None:
    exercise = play('\n[[failure]]\nunit = "database"\ntries = 9\n' + decision("skip", 2, "database"))
    assert told(exercise, "skipped") == ["skipped database"]
    assert "up record" in told(exercise)
    assert "up database" not in told(exercise)
    assert "database" in exercise.world.down_s


def test_a_step_back_brings_down_what_stands_on_it_and_up_again(play: Play) -> None:
    more = '\n[[decision]]\nverb = "step-back"\nunit = "database"\nby = "Dr Alice"\nat_min = 80\n'
    exercise = play(more)
    assert told(exercise, "step-back") in (["step-back database", "step-back record"], ["step-back database"])
    ups = [line for line in told(exercise) if line == "up database"]
    assert ups == ["up database"] * 2
    assert exercise.played.left == ()


def test_a_pause_starts_nothing_new_until_it_is_lifted(play: Play) -> None:
    pause = '\n[[decision]]\nverb = "pause"\nby = "Dr Alice"\nat_min = 61\n'
    resume = '\n[[decision]]\nverb = "resume"\nby = "Dr Alice"\nat_min = 200\n'
    exercise = play(pause + resume)
    began = [line.at for line in exercise.journal if line.kind == "start-began"]
    paused, resumed = BEGAN_S * US + 61 * 60 * US, BEGAN_S * US + 200 * 60 * US
    assert not [at for at in began if paused < at < resumed]
    assert [at for at in began if at >= resumed]


def test_a_second_cut_in_the_middle_takes_everything_again(play: Play) -> None:
    more = '\n[[inject]]\nat_min = 75\nfalls = ["power"]\n\n[[inject]]\nat_min = 90\nreturns = ["power"]\n'
    exercise = play(more)
    assert told(exercise, "power-lost", "power-back", "replanned") == [
        "power-lost power",
        "power-back power",
        "power-lost power",
        "replanned",
        "power-back power",
    ]
    assert exercise.played.left == ()
    assert not exercise.world.down_s


def test_a_decision_about_nothing_is_not_obeyed_and_the_journal_says_so(play: Play) -> None:
    exercise = play('\n[[decision]]\nverb = "skip"\nunit = "mail"\nby = "Dr Bob"\nat_min = 5\n')
    assert told(exercise, "not-obeyed") == ["not-obeyed mail"]


def test_decisions_of_players_are_obeyed_when_they_come(play: Play) -> None:
    class Players:
        """Somebody pauses at minute 30 and goes on at minute 80; otherwise no time passes."""

        may_decide = True

        def __init__(self) -> None:
            self.coming = [(1800.0, "pause"), (4800.0, "resume")]

        def until(self, at_s: float) -> list[tuple[float, Decision]]:
            if self.coming and self.coming[0][0] <= at_s:
                when_s, verb = self.coming.pop(0)
                return [(when_s, Decision(f"d{when_s}", 0, verb, "Dr Alice"))]  # type: ignore[arg-type]
            return []

    exercise = play(pace=Players())
    assert told(exercise, "paused", "resumed") == ["paused", "resumed"]
    first = next(line for line in exercise.journal if line.kind == "start-began")
    assert first.at == (BEGAN_S + 4800) * US


def test_the_same_seed_plays_the_same_exercise(play: Play) -> None:
    one, two = play(folder="one"), play(folder="two")
    assert one.journal == two.journal
    assert one.forecasts == two.forecasts
    other = play(cut=CUT.replace("[scenario]", "[scenario]\nseed = 2"), folder="other")
    assert other.journal != one.journal


def test_forecasts_are_kept_and_none_names_a_moment_in_the_past(play: Play) -> None:
    exercise = play()
    assert len(exercise.forecasts) >= 4
    assert exercise.forecasts[0].provisional
    assert exercise.forecasts[0].after == ("power",)
    assert not exercise.forecasts[-1].provisional
    assert all(0 <= span.p50_s <= span.p90_s for one in exercise.forecasts for span in one.units.values())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    failures=st.dictionaries(st.sampled_from(["database", "record", "mail"]), st.integers(1, 5)),
    again_min=st.none() | st.integers(61, 200),
)
def test_whatever_goes_wrong_everything_is_back_in_the_end(
    seed: int, failures: dict[str, int], again_min: int | None, play: Play, tmp_path_factory: pytest.TempPathFactory
) -> None:
    more = "".join(f'\n[[failure]]\nunit = "{unit}"\ntries = {tries}\n' for unit, tries in failures.items())
    if again_min is not None:
        more += f'\n[[inject]]\nat_min = {again_min}\nfalls = ["power"]\n'
        more += f'\n[[inject]]\nat_min = {again_min + 10}\nreturns = ["power"]\n'
    folder = str(tmp_path_factory.mktemp("any"))
    exercise = play(more, cut=CUT.replace("[scenario]", f"[scenario]\nseed = {seed}"), folder=folder)
    assert exercise.played.left == ()
    assert not exercise.world.down_s
    assert exercise.journal == sorted(exercise.journal, key=lambda line: line.at)
