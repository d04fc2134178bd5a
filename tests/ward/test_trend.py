"""Trend lines: x is time, the band is the range, nothing leaves the picture."""

from hypothesis import given
from hypothesis import strategies as st

from releve.ward.trend import SPARK, draw

numbers = st.floats(-1e9, 1e9)


def test_no_point_draws_nothing() -> None:
    assert draw([], 1.0, 2.0) is None


def test_x_is_time_and_not_the_number_of_the_value() -> None:
    trend = draw([(0, 1.0, False), (10, 2.0, False), (1000, 3.0, True)], None, None)
    assert trend is not None
    xs = [float(x) for x, _, _ in trend.dots]
    assert xs[1] - xs[0] < 0.02 * (xs[2] - xs[0])
    assert [is_out for _, _, is_out in trend.dots] == [False, False, True]


def test_a_higher_value_is_drawn_higher_and_the_band_lies_between_the_limits() -> None:
    trend = draw([(0, 1.0, False), (10, 9.0, True)], 2.0, 5.0)
    assert trend is not None
    assert trend.band is not None
    low, high = float(trend.dots[0][1]), float(trend.dots[1][1])
    top, height = float(trend.band[0]), float(trend.band[1])
    assert high < top < top + height < low


@given(
    points=st.lists(st.tuples(st.integers(0, 2**60), numbers, st.booleans()), min_size=1, max_size=20),
    low=st.none() | numbers,
    high=st.none() | numbers,
)
def test_nothing_leaves_the_picture(
    points: list[tuple[int, float, bool]], low: float | None, high: float | None
) -> None:
    trend = draw(sorted(points), low, high)
    assert trend is not None
    for x, y, _ in trend.dots:
        assert 0 <= float(x) <= SPARK[0]
        assert 0 <= float(y) <= SPARK[1]
