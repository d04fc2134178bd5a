"""The Prometheus text, read back by a reader of its grammar."""

import re

from hypothesis import given
from hypothesis import strategies as st

from releve.board.metrics import exposition, feed_metrics, forecast_metrics, service_metrics, unit_metrics
from releve.recovery.forecast import Forecast, Span
from releve.recovery.state import States, UnitState
from releve.screen import ServiceState
from releve.sitrep import Measured

NOW = 1_722_686_400_000_000
_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
_MARKS = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(text: str) -> list[tuple[str, dict[str, str], float]]:
    """Return the samples of an exposition; fails on a line that is not of the format."""
    samples = []
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) [a-z_]+ .+", line)
            continue
        found = _SAMPLE.fullmatch(line)
        assert found, line
        labels = {
            name: re.sub(r'\\[n"\\]', lambda mark: _MARKS[mark[0]], value)
            for name, value in _LABEL.findall(found[2] or "")
        }
        samples.append((found[1], labels, float(found[3])))
    return samples


@given(st.text(alphabet=st.characters(exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=30))
def test_any_label_is_read_back_as_it_was(value: str) -> None:
    assert parse(exposition("releve_x", "gauge", "An x.", [({"name": value}, 1.0)])) == [
        ("releve_x", {"name": value}, 1.0)
    ]


def test_a_metric_without_samples_is_left_out() -> None:
    assert exposition("releve_x", "gauge", "An x.", []) == ""


def test_a_service_that_was_not_measured_is_not_up() -> None:
    services = [
        ServiceState("dpi", "Dossier", "normal", 0, NOW),
        ServiceState("lab", "Labo", "normal", 0, NOW - 200_000_000),
        ServiceState("tel", "Tél", "down", 0, NOW),
    ]
    up = {labels["service"]: value for name, labels, value in parse(service_metrics(services, NOW)) if "up" in name}
    assert up == {"dpi": 1.0, "lab": 0.0, "tel": 0.0}


def test_what_other_hospitals_see_holds_for_twelve_minutes() -> None:
    own = [ServiceState("dpi", "Dossier", "normal", 0, NOW)]
    told = [
        Measured("dpi", "H01", "down", None, NOW),
        Measured("dpi", "H02", "normal", None, NOW - 700_000_000),
        Measured("dpi", "H03", "normal", None, NOW - 800_000_000),
        Measured("dpi", "H04", "down", None, NOW),
    ]
    text = service_metrics(own, NOW, "H01", told)
    up = {labels["hospital"]: value for name, labels, value in parse(text) if name == "releve_service_up"}
    assert up == {"H01": 1.0, "H02": 1.0, "H03": 0.0, "H04": 0.0}, "our own watch goes before what is told of us"
    assert text.count("# TYPE releve_service_up") == 1


def test_units_say_how_long_they_took() -> None:
    names = UnitState("names", "normal", 1, NOW, "up", took_s=0.0031)
    old = UnitState("disk", "normal", 1, NOW - 130_000_000, "up", took_s=0.5)
    samples = parse(unit_metrics(States("H01", NOW, {"names": names, "disk": old}), NOW))
    assert samples == [
        ("releve_unit_up", {"unit": "names"}, 1.0),
        ("releve_unit_up", {"unit": "disk"}, 0.0),
        ("releve_unit_probe_seconds", {"unit": "names"}, 0.0031),
        ("releve_unit_probe_seconds", {"unit": "disk"}, 0.5),
    ]
    assert unit_metrics(None, NOW) == ""


def test_a_forecast_counts_down_from_its_issue_and_never_below_now() -> None:
    issued = NOW - 600_000_000
    forecast = Forecast(
        issued, False, (), 1.2, {"dpi": Span(1800.0, 3600.0), "tel": Span(60.0, 900.0)}, None, None, (), 200
    )
    found = {
        (labels.get("service", ""), labels.get("quantile", "")): value
        for _, labels, value in parse(forecast_metrics(forecast, NOW))
    }
    assert found == {
        ("dpi", "0.5"): 1200.0,
        ("dpi", "0.9"): 3000.0,
        ("tel", "0.5"): 0.0,
        ("tel", "0.9"): 300.0,
        ("", ""): 600.0,
    }


def test_the_release_to_one_hospital_has_a_forecast_of_its_own() -> None:
    units = {"dpi": Span(60.0, 90.0), "dpi/check": Span(70.0, 95.0), "dpi/release/H07": Span(80.0, 99.0)}
    forecast = Forecast(NOW, False, (), 1.0, units, None, None, (), 200)
    names = {(marks.get("service"), marks.get("hospital")) for _, marks, _ in parse(forecast_metrics(forecast, NOW))}
    assert names == {("dpi", None), ("dpi", "H07"), (None, None)}


def test_while_power_is_waited_for_the_clock_of_a_forecast_does_not_run() -> None:
    waiting = Forecast(NOW - 600_000_000, True, ("feed-a",), 1.0, {}, Span(100.0, 200.0), None, (), 200)
    whole = [sample for sample in parse(forecast_metrics(waiting, NOW)) if sample[0].endswith("whole_seconds")]
    assert [value for _, _, value in whole] == [100.0, 200.0]
    assert forecast_metrics(None, NOW) == ""


def test_no_feed_gives_no_line() -> None:
    assert feed_metrics([], NOW) == ""
