"""The Prometheus text, read back by a reader of its grammar."""

import re

from hypothesis import given
from hypothesis import strategies as st

from releve.board.metrics import exposition, feed_metrics, service_metrics
from releve.screen import ServiceState

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


def test_no_feed_gives_no_line() -> None:
    assert feed_metrics([], NOW) == ""
