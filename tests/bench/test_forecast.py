"""bench forecast, small: few restarts of a small centre, and bars as wide as so few numbers scatter."""

from __future__ import annotations

from releve.bench import forecast


def test_what_was_promised_held_also_where_beliefs_were_wrong() -> None:
    figures = forecast.measure(days=36, wrong_days=12, hospitals=3, hosts=24, runs=150, cost=False)
    at = {one.share: one for one in figures.at}
    # Thirty-six restarts scatter by 0.05 around the 0.89 that 120 show; three times that is a fault.
    assert at[0.25].covered >= 0.74
    assert at[0.5].covered >= 0.74
    assert at[0.5].covered_wrong >= 0.6
    # Measured 0.08 here, 0.07 on the centre of the bench.
    assert at[0.5].p50_error <= 0.12
    assert figures.plan_date_met <= 0.2, "the end of a plan is no forecast"
    assert at[0.25].p50_error < at[0.0].p50_error, "it learns"
