"""Trend lines as SVG paths: a small one beside a result, a large one on the result's page. Values in, text out.

The x axis is time, not the number of the value: two values an hour apart and one a week later must look so. The grey
band is the laboratory's reference range.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

POINTS_MAX = 8
SPARK = (120.0, 30.0, 4.0)
TREND = (640.0, 200.0, 16.0)


class Trend(msgspec.Struct, frozen=True):
    """A drawn trend.

    path  of the line, "" for a single point
    dots  (x, y, is_out) of every point
    band  (y, height) of the reference range; None when there is none
    low   smallest and largest value drawn, for the axis
    """

    width: float
    height: float
    path: str
    dots: tuple[tuple[str, str, bool], ...]
    band: tuple[str, str] | None
    low: float
    high: float


def draw(
    points: Sequence[tuple[int, float, bool]],
    low: float | None,
    high: float | None,
    size: tuple[float, float, float] = SPARK,
) -> Trend | None:
    """Draw (at, value, is_out) points, oldest first; None without a point.

    low, high  the reference range; either may be missing
    """
    if not points:
        return None
    width, height, margin = size
    values = [value for _, value, _ in points]
    bottom = min(values if low is None else [*values, low])
    top = max(values if high is None else [*values, high])
    span = (top - bottom) or 1.0
    first, last = points[0][0], points[-1][0]
    time = (last - first) or 1
    inner_width, inner_height = width - 2 * margin, height - 2 * margin

    def x(at: int) -> float:
        return margin + inner_width * ((at - first) / time if last > first else 1.0)

    def y(value: float) -> float:
        return height - margin - inner_height * (value - bottom) / span

    dots = tuple((f"{x(at):.1f}", f"{y(value):.1f}", is_out) for at, value, is_out in points)
    path = "M" + "L".join(f"{px} {py}" for px, py, _ in dots) if len(dots) > 1 else ""
    band = None
    if low is not None or high is not None:
        band_top = y(high) if high is not None else 0.0
        band_bottom = y(low) if low is not None else height
        band = (f"{band_top:.1f}", f"{max(band_bottom - band_top, 1.0):.1f}")
    return Trend(width, height, path, dots, band, bottom, top)
