"""bench plan, small: the bars hold on an estate of a few hundred steps and on some PSPLIB instances where present."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.bench import plan
from releve.bench.psplib import parse, read_instances
from releve.cli import main
from releve.errors import WrongUse

PSPLIB = Path(__file__).resolve().parents[3] / "shared" / "data" / "psplib"

#: Three activities between two dummies, two resources; the second waits for the first.
SMALL = """
5 2
4 3
0 0 0 3 2 3 4
3 2 1 1 3
4 3 1 1 5
2 1 3 1 5
0 0 0 0
"""


def test_the_makespan_stays_near_the_bound_and_is_set_beside_cp_sat() -> None:
    figures = plan.measure(hospitals=6, hosts=60, search_cpu_s=0.3, rival_s=1.0)
    one = figures.centre
    assert one.bound_s <= one.makespan_s <= min(one.shipped_s, one.random_s)
    # Measured 1.08; the search of a busy machine gets less done in its CPU time.
    assert one.ratio <= plan.RATIO_MAX
    assert one.rival_s is None or one.rival_s >= one.bound_s
    assert any("CP-SAT" in line for line in plan.report(figures))
    assert plan.as_json(figures)["holds"]


@pytest.mark.skipif(not PSPLIB.is_dir(), reason="shared/data/psplib is not beside this checkout")
def test_psplib_instances_are_read_and_solved_near_the_best_known() -> None:
    assert [len(read_instances(PSPLIB, name)) for name in ("J30", "J60", "J120")] == [15, 15, 15]
    found = plan.measure_set(PSPLIB, "J120", 0.1, lambda line: None)
    # Measured 3.2 % with a tenth of a CPU-second, 2.1 with the two seconds of the bench.
    assert 0 <= found.above <= 0.05
    assert found.reached >= 5


def test_patterson_format_is_read_as_it_is_written() -> None:
    problem, durations = parse(SMALL)
    assert durations == (0, 3, 4, 2, 0)
    assert problem.groups == ((), ((0,),), ((0,), (1,)), ((0,),), ((2,), (3,)))
    assert problem.uses[2] == ((0, 3), (1, 1))
    assert problem.capacities == (4, 3)


@given(st.text(st.sampled_from("0123456789 \n-x"), max_size=80))
def test_whatever_stands_in_a_file_it_is_an_instance_or_refused(text: str) -> None:
    try:
        problem, durations = parse(text)
    except ValueError:
        return
    assert problem.size == len(durations)


def test_a_file_that_is_no_instance_is_named(tmp_path: Path) -> None:
    (tmp_path / "best_known.json").write_text("{}", "utf-8")
    (tmp_path / "J30_1.txt").write_text("30 4 not a number", "utf-8")
    with pytest.raises(WrongUse, match="J30_1"):
        read_instances(tmp_path, "J30")


def test_the_command_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main(["bench", "forecast", "--days", "6", "--small", "--json", str(file)]) in (0, 1)
    assert "P90 at 50% of the way" in capsys.readouterr().out
    assert json.loads(file.read_text("utf-8"))["days"] == 6
