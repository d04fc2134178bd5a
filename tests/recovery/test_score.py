"""The record of the forecasts: what was promised, what came of it, what slipped, and nothing shown that has passed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.cli import main
from releve.estate import Estate
from releve.recovery.folder import RecoveryFolder
from releve.recovery.forecast import Forecast, Span
from releve.recovery.journal import Happened
from releve.recovery.score import as_of, encode_score, score
from releve.recovery.score_text import score_text

EstateOf = Callable[[str], Estate]

S = 1_000_000
#: 3 August 2024, 14:30 in Paris.
POWER = 1_722_688_200 * S

CENTRE = """
[[feed]]
id = "power"
probe = "tcp://127.0.0.1:1"

[[unit]]
id = "storage"
needs = ["power"]
start = {command = ["x"]}

[[service]]
id = "record"
name = {fr = "Dossier patient", en = "Patient record"}
tier = 1
needs = ["storage"]
start = {command = ["x"]}

[[service]]
id = "mail"
name = {fr = "Messagerie", en = "Internal mail"}
tier = 2
needs = ["storage"]
start = {command = ["x"]}
"""


def said(
    at_s: float, units: dict[str, tuple[float, float]], *, after: tuple[str, ...] = (), provisional: bool = False
) -> Forecast:
    """A forecast issued so long after the power came back; the record is essential, whatever is latest is last."""
    spans = {name: Span(*span) for name, span in units.items()}
    last = max(spans.values(), key=lambda span: span.p90_s)
    essential = spans.get("record")
    return Forecast(round(POWER + at_s * S), provisional, after, 1.0, spans, essential, last, (), 100)


def up(unit: str, at_s: float) -> Happened:
    return Happened(round(POWER + at_s * S), "up", unit, took_s=1.0)


JOURNAL = [up("power", 0), up("storage", 100), up("record", 400), up("mail", 900)]


def test_a_promise_is_kept_when_it_came_by_its_p90(estate_of: EstateOf) -> None:
    forecasts = [said(100, {"record": (200, 320), "mail": (500, 700)})]
    found = score(estate_of(CENTRE), forecasts, JOURNAL, POWER + 2000 * S)
    outcomes = {(one.scope, one.unit): (one.held, one.late_s) for one in found.promises}
    assert outcomes == {
        ("unit", "record"): (True, 100.0),
        ("unit", "mail"): (False, 300.0),
        ("essential", ""): (True, 100.0),
        ("last", ""): (False, 300.0),
    }
    assert found.everything.coverage == 0.5
    assert found.services["record"].p50_error_share == pytest.approx(100 / 300)
    assert found.essential.p50_error_s == 100.0


def test_a_forecast_that_waits_for_the_power_is_judged_from_the_return_of_the_power(estate_of: EstateOf) -> None:
    waiting = said(-7200, {"power": (0, 0), "record": (300, 450)}, after=("power",), provisional=True)
    found = score(estate_of(CENTRE), [waiting], JOURNAL, POWER + 2000 * S)
    [record] = [one for one in found.promises if one.unit == "record"]
    assert (record.since, record.held, record.late_s) == (POWER, True, 100.0)
    assert "power" not in {one.unit for one in found.promises}
    assert found.provisional == 1

    still_dark = score(estate_of(CENTRE), [waiting], [], POWER - 3600 * S)
    assert [one.held for one in still_dark.promises] == [None] * 3
    assert still_dark.everything.coverage is None
    assert "which is not back" in score_text(estate_of(CENTRE), still_dark)


def test_what_is_overdue_is_missed_before_it_is_back_and_what_is_not_due_is_not_judged(estate_of: EstateOf) -> None:
    forecasts = [said(0, {"record": (200, 300), "mail": (500, 5000)})]
    found = score(estate_of(CENTRE), forecasts, JOURNAL[:2], POWER + 350 * S)
    assert {(one.scope, one.unit): one.held for one in found.promises} == {
        ("unit", "record"): False,
        ("unit", "mail"): None,
        ("essential", ""): False,
        ("last", ""): None,
    }


def test_a_slip_shows_the_old_date_beside_the_new_one(estate_of: EstateOf) -> None:
    forecasts = [
        said(0, {"record": (200, 300)}),
        said(100, {"record": (100, 205)}),
        said(200, {"record": (180, 400)}),
    ]
    found = score(estate_of(CENTRE), forecasts, JOURNAL, POWER + 2000 * S)
    slips = [one for one in found.slips if one.scope == "unit"]
    assert [(one.unit, one.old_p90_at, one.new_p90_at) for one in slips] == [
        ("record", POWER + 305 * S, POWER + 600 * S)
    ]
    text = score_text(estate_of(CENTRE), found, "fr")
    assert "14:33:20 Dossier patient\u202f: 14:35:05 → 14:40:00 (plus tard de 4 min 55 s)" in text


def test_a_step_back_undoes_the_return(estate_of: EstateOf) -> None:
    journal = [*JOURNAL, Happened(POWER + 950 * S, "step-back", "record"), up("record", 1500)]
    found = score(estate_of(CENTRE), [said(0, {"record": (300, 500)})], journal, POWER + 2000 * S)
    assert [one.held for one in found.promises if one.unit == "record"] == [False]


def test_what_must_be_released_to_care_is_back_with_its_last_release(estate_of: EstateOf) -> None:
    gated = CENTRE.replace(
        'tier = 1\nneeds = ["storage"]', 'tier = 1\nneeds = ["storage"]\nrelease = "p"\nreleased_by_hospital = true'
    )
    places = '[[site]]\nid = "H01"\nname = "A"\n[[site]]\nid = "H02"\nname = "B"\n[[contact]]\nid = "p"\nname = "P"\n'
    given = [
        Happened(POWER + second * S, "released", "record", hospital=hospital)
        for second, hospital in ((500, "H02"), (700, "H01"))
    ]
    found = score(estate_of(places + gated), [said(0, {"record": (300, 600)})], [*JOURNAL, *given], POWER + 2000 * S)
    [record] = [one for one in found.promises if one.unit == "record"]
    assert (record.late_s, record.held) == (400.0, False)
    early = score(estate_of(places + gated), [said(0, {"record": (300, 600)})], [*JOURNAL, given[0]], POWER + 550 * S)
    assert [one.came_at for one in early.promises if one.unit == "record"] == [None]


def test_no_forecast_gives_no_record(estate_of: EstateOf) -> None:
    found = score(estate_of(CENTRE), [], JOURNAL, POWER)
    assert found.everything.coverage is None
    assert score_text(estate_of(CENTRE), found) == "No forecast was published: there is nothing to score.\n"


@given(
    st.dictionaries(
        st.sampled_from(["storage", "record", "mail"]),
        st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)).map(lambda pair: (min(pair), max(pair))),
        min_size=1,
    ),
    st.floats(0, 1e5),
)
def test_a_forecast_shown_later_never_names_a_moment_that_has_passed(
    units: dict[str, tuple[float, float]], later_s: float
) -> None:
    issued = said(0, units)
    at = POWER + round(later_s * S)
    shown = as_of(issued, at)
    spans = [span for span in (*shown.units.values(), shown.essential, shown.last) if span is not None]
    assert all(0 <= span.p50_s <= span.p90_s for span in spans)
    assert set(shown.units) | set(shown.unknown) == set(issued.units)
    for name, span in shown.units.items():
        assert shown.issued_at + span.p90_s * S == pytest.approx(POWER + issued.units[name].p90_s * S, abs=2)


def test_a_forecast_that_waits_for_the_power_does_not_age(estate_of: EstateOf) -> None:
    waiting = said(0, {"record": (300, 450)}, after=("power",))
    assert as_of(waiting, POWER + 9000 * S) is waiting


def test_releve_score_reads_a_recovery_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "estate.toml").write_text(CENTRE, "utf-8")
    folder = RecoveryFolder(tmp_path)
    for line in JOURNAL:
        folder.happened(line)
    folder.publish(said(0, {"record": (300, 450), "mail": (800, 1000)}))
    assert main(["score", str(tmp_path), "--json", str(tmp_path / "score.json")]) == 0
    shown = capsys.readouterr().out
    assert "Forecasts published: 1" in shown
    assert "Patient record" in shown
    assert "4 (100%)" in shown
    written = json.loads((tmp_path / "score.json").read_text("utf-8"))
    assert written["everything"]["coverage"] == 1.0
    assert written["services"]["mail"]["p50_error_s"] == 100.0
    assert main(["score", str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_the_json_has_every_promise(estate_of: EstateOf) -> None:
    found = score(estate_of(CENTRE), [said(0, {"record": (300, 450)})], JOURNAL, POWER + 2000 * S)
    value = encode_score(found)
    assert [one["scope"] for one in value["promises"]] == ["unit", "essential", "last"]
    assert json.loads(json.dumps(value)) == value
