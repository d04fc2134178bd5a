"""The estate as a picture (SVG): what everything stands on at the bottom, what people know by name at the top.

Each state has a shape, a word and a colour; each kind of need a line of its own, told in the legend. Colours stand in
attributes and not in styles, so that a page whose CSP forbids inline styles can hold the picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from html import escape
from typing import NamedTuple

from releve.estate.layers import Box, Line, LineKind, boxes, rows
from releve.estate.looks import FALLEN, Look, Shape, look_of, sum_up
from releve.estate.model import Bilingual, Estate

_BOX_WIDTH, _BOX_HEIGHT = 192, 66
_GAP, _LANE = 18, 46
_MARGIN = 16
_ASIDE = 58
_COLUMNS_MAX = 6
# What fits at 13 px bold in the widest of the usual sans-serif faces.
_LETTERS_A_LINE = 18
_STATE_LETTERS_A_LINE = 21
_INK, _SOFT, _NAVY = "#15212e", "#3f4d5c", "#0b2e4f"

_KINDS = {
    "feed": (Bilingual("Arrivée électrique", "Power feed"), Bilingual("arrivées électriques", "power feeds")),
    "ups": (Bilingual("Onduleur", "UPS"), Bilingual("onduleurs", "UPS")),
    "network": (Bilingual("Réseau", "Network"), Bilingual("éléments de réseau", "network elements")),
    "storage": (Bilingual("Stockage", "Storage"), Bilingual("stockages", "storages")),
    "host": (Bilingual("Machine", "Host"), Bilingual("machines", "hosts")),
    "unit": (Bilingual("Socle", "Base"), Bilingual("éléments du socle", "base units")),
    "service": (Bilingual("Service", "Service"), Bilingual("services", "services")),
}

#: kind of line → dashes, width, ink, words of the legend
_LINES: dict[LineKind, tuple[str, float, str, Bilingual]] = {
    "hard": ("", 1.6, _SOFT, Bilingual("a besoin de", "needs")),
    "any": ("12 4", 1.6, _SOFT, Bilingual("un seul suffit", "one is enough")),
    "soft": ("2 5", 1.6, _SOFT, Bilingual("dégradé sans", "degraded without")),
    "start": ("7 3 2 3", 1.6, "#003f80", Bilingual("pour démarrer seulement", "to start only")),
    "break": ("4 8", 2.2, "#9b0f14", Bilingual("point de rupture d’un cycle", "break point of a cycle")),
}


class _Spot(NamedTuple):
    x: float
    y: float


def picture(
    estate: Estate,
    states: Mapping[str, str],
    lang: str,
    href: Callable[[str], str],
    fallen: Collection[str] = (),
) -> str:
    """Return the estate as an SVG element.

    states  unit id → its state, in the words of probes, of the run or of a node; what is not in it was not measured
    href    unit id → where a click on it leads; a box of several units leads to the one in the worst state
    fallen  units to mark as what would fall
    """
    made, lines = boxes(estate)
    spots, width, height = _place(rows(made, lines))
    if any(_goes_aside(line, spots) for line in lines):
        width += _ASIDE - _MARGIN
    name = estate.name.in_language(lang)
    title = f"Carte de {name}" if lang == "fr" else f"Map of {name}"
    legend_height = 92
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="estate" role="group" aria-label="{escape(title)}" '
        f'lang="{lang}" width="{width}" height="{height + legend_height}" '
        f'viewBox="0 0 {width} {height + legend_height}" font-family="system-ui, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height + legend_height}" fill="#ffffff"/>',
        *(_line(line, spots, fallen, made) for line in lines),
        *(_box(box, spots[box.key], states, lang, href, fallen) for box in made),
        _legend(height, width, lang, {line.kind for line in lines}, is_grouped=any(len(box.units) > 1 for box in made)),
        "</svg>",
    ]
    return "\n".join(parts)


def _place(table: list[list[int]]) -> tuple[dict[int, _Spot], int, int]:
    """Return where the upper left corner of each box comes, the width and the height; a row too long is folded."""
    folded: list[tuple[list[int], bool]] = []
    for row in table:
        lines_count = -(-len(row) // _COLUMNS_MAX) or 1
        size = -(-len(row) // lines_count)
        pieces = [row[at : at + size] for at in range(0, len(row), size)]
        folded += [(piece, index == len(pieces) - 1) for index, piece in enumerate(pieces)]
    columns = max((len(piece) for piece, _ in folded), default=1)
    width = max(2 * _MARGIN + columns * (_BOX_WIDTH + _GAP) - _GAP, 340)
    y = _MARGIN
    spots: dict[int, _Spot] = {}
    heights: list[tuple[list[int], int]] = []
    for place in range(len(folded) - 1, -1, -1):
        piece, _ = folded[place]
        heights.append((piece, y))
        is_last_of_row = place > 0 and folded[place - 1][1]
        y += _BOX_HEIGHT + (_LANE if is_last_of_row else _GAP)
    for piece, top in heights:
        taken = len(piece) * (_BOX_WIDTH + _GAP) - _GAP
        left = (width - taken) / 2
        for index, key in enumerate(piece):
            spots[key] = _Spot(left + index * (_BOX_WIDTH + _GAP), top)
    return spots, int(width), y


def _line(line: Line, spots: Mapping[int, _Spot], fallen: Collection[str], made: list[Box]) -> str:
    dashes, thickness, ink, _ = _LINES[line.kind]
    upper, lower = spots[line.upper], spots[line.lower]
    if _goes_aside(line, spots):
        x1, x2 = upper.x + _BOX_WIDTH, lower.x + _BOX_WIDTH
        y1, y2 = upper.y + _BOX_HEIGHT / 2, lower.y + _BOX_HEIGHT / 2
        aside = max(x1, x2) + _ASIDE
        path = f"M{x1:.0f} {y1:.0f}C{aside:.0f} {y1:.0f} {aside:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    else:
        x1, x2 = upper.x + _BOX_WIDTH / 2, lower.x + _BOX_WIDTH / 2
        y1, y2 = upper.y + _BOX_HEIGHT, lower.y
        bend = max(28.0, abs(y2 - y1) / 2)
        path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    if all(any(unit.id in fallen for unit in made[key].units) for key in (line.upper, line.lower)):
        ink, thickness = "#9b0f14", thickness + 1
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path class="need {line.kind}" d="{path}" fill="none" stroke="{ink}" stroke-width="{thickness:g}"{dash}/>'


def _goes_aside(line: Line, spots: Mapping[int, _Spot]) -> bool:
    """Return whether a line goes round by the right: upwards, to its own row, or else hidden by the boxes between."""
    upper, lower = spots[line.upper], spots[line.lower]
    is_far = lower.y - upper.y > 1.5 * (_BOX_HEIGHT + _LANE)
    return lower.y <= upper.y or (is_far and abs(upper.x - lower.x) < _BOX_WIDTH / 2)


def _box(
    box: Box,
    spot: _Spot,
    states: Mapping[str, str],
    lang: str,
    href: Callable[[str], str],
    fallen: Collection[str],
) -> str:
    looks = {unit.id: look_of(states.get(unit.id, "")) for unit in box.units}
    worst = min(box.units, key=lambda unit: looks[unit.id].rank)
    name, kind = _names(box, lang)
    falling = sum(unit.id in fallen for unit in box.units)
    if len(box.units) == 1:
        look, words = looks[worst.id], looks[worst.id].words.in_language(lang)
    else:
        look, words = sum_up((states.get(unit.id, "") for unit in box.units), lang)
    if falling:
        would = FALLEN.words.in_language(lang)
        words = f"{would} ({words})" if len(box.units) == 1 else f"{falling} {would}"
        look = Look(look.rank, FALLEN.shape, FALLEN.ink, look.paper, FALLEN.words)
    full = f"{name} · {kind} · {words}"
    border = ' stroke-width="3" stroke-dasharray="7 4"' if falling else ' stroke-width="1.5"'
    stacked = (
        f'<rect x="{spot.x + 5:.0f}" y="{spot.y - 5:.0f}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" '
        f'fill="{look.paper}" stroke="{look.ink}" stroke-width="1"/>'
        if len(box.units) > 1
        else ""
    )
    lines = _fold(name, _LETTERS_A_LINE, 2)
    texts = "".join(
        f'<text x="{spot.x + 34:.0f}" y="{spot.y + 19 + 15 * index:.0f}" font-size="13" font-weight="600" '
        f'fill="{_INK}">{escape(line)}</text>'
        for index, line in enumerate(lines)
    )
    below = spot.y + 21 + 15 * len(lines)
    texts += "".join(
        f'<text x="{spot.x + 34:.0f}" y="{below + 14 * index:.0f}" font-size="12" fill="{look.ink}">'
        f"{escape(line)}</text>"
        for index, line in enumerate(_fold(words, _STATE_LETTERS_A_LINE, 3 - len(lines)))
    )
    return (
        f'<a href="{escape(href(worst.id))}" aria-label="{escape(full)}" class="unit {box.units[0].kind}">'
        f"<title>{escape(full)}</title>{stacked}"
        f'<rect x="{spot.x:.0f}" y="{spot.y:.0f}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" '
        f'fill="{look.paper}" stroke="{look.ink}"{border}/>'
        f"{_shape(look.shape, spot.x + 17, spot.y + 18, look.ink)}{texts}</a>"
    )


def _names(box: Box, lang: str) -> tuple[str, str]:
    """Return what is written on a box, and its kind in words."""
    one, many = _KINDS[box.units[0].kind]
    if len(box.units) == 1:
        return box.units[0].name.in_language(lang), one.in_language(lang)
    names = [unit.name.in_language(lang) for unit in box.units]
    what = _shared(names) or many.in_language(lang)
    return f"{len(box.units)} × {what}", many.in_language(lang)


def _shared(names: list[str]) -> str:
    """Return the words that all names begin with, "" when that says little."""
    first, *others = [re.split(r"(?<=[\s\-_./])", name) for name in names]
    count = 0
    while count < len(first) and all(other[: count + 1] == first[: count + 1] for other in others):
        count += 1
    text = "".join(first[:count]).rstrip(" -_./·")
    return text if len(text) >= 3 else ""


def _fold(text: str, letters_max: int, lines_max: int) -> list[str]:
    """Return a text on few lines; what does not fit is cut, and stands whole in the tooltip."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + 1 + len(word) <= letters_max or not lines[-1]:
            lines[-1] = f"{lines[-1]} {word}".strip()
        else:
            lines.append(word)
    if len(lines) > lines_max:
        lines[lines_max - 1 :] = [" ".join(lines[lines_max - 1 :])]
    return [_short(line, letters_max) for line in lines]


def _short(text: str, letters_max: int) -> str:
    return text if len(text) <= letters_max else text[: letters_max - 1].rstrip(" ,") + "…"


def _shape(shape: Shape, x: float, y: float, ink: str) -> str:
    match shape:
        case "disc":
            return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="8" fill="{ink}"/>'
        case "ring":
            return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="7" fill="#ffffff" stroke="{ink}" stroke-width="2"/>'
        case "half":
            return (
                f'<circle cx="{x:.0f}" cy="{y:.0f}" r="7" fill="#ffffff" stroke="{ink}" stroke-width="2"/>'
                f'<path d="M{x:.0f} {y - 7:.0f}a7 7 0 0 1 0 14z" fill="{ink}"/>'
            )
        case "cross":
            return (
                f'<path d="M{x - 7:.0f} {y - 7:.0f}l14 14m0 -14l-14 14" stroke="{ink}" stroke-width="3.5" fill="none"/>'
            )
        case "triangle":
            return f'<path d="M{x:.0f} {y - 8:.0f}l9 16h-18z" fill="{ink}"/>'
        case "square":
            return f'<rect x="{x - 7:.0f}" y="{y - 7:.0f}" width="14" height="14" fill="{ink}"/>'
        case "question":
            return (
                f'<circle cx="{x:.0f}" cy="{y:.0f}" r="8" fill="#ffffff" stroke="{ink}" stroke-width="1.5" '
                f'stroke-dasharray="3 2"/><text x="{x:.0f}" y="{y + 4.5:.0f}" font-size="12" font-weight="700" '
                f'text-anchor="middle" fill="{ink}">?</text>'
            )


def _legend(top: int, width: int, lang: str, drawn: Collection[LineKind], *, is_grouped: bool) -> str:
    """Return what the lines mean, as many in a row as the width holds."""
    parts = [f'<g class="legend" font-size="12" fill="{_INK}">']
    x, y = float(_MARGIN), top + 18.0
    for kind, (dashes, thickness, ink, words) in _LINES.items():
        if kind not in drawn:
            continue
        text = words.in_language(lang)
        taken = 44 + 6.6 * len(text) + 20
        if x + taken > width:
            x, y = float(_MARGIN), y + 20
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<path class="{kind}" d="M{x:.0f} {y - 4:.0f}h34" stroke="{ink}" stroke-width="{thickness:g}"{dash}/>'
            f'<text x="{x + 40:.0f}" y="{y:.0f}">{escape(text)}</text>'
        )
        x += taken
    note = Bilingual(
        "En bas ce qui porte, en haut ce qui repose dessus.", "Below what carries, above what stands on it."
    ).in_language(lang)
    if is_grouped:
        note += " " + Bilingual("Une pile : des éléments semblables.", "A stack: units of one shape.").in_language(lang)
    parts.append(f'<text x="{_MARGIN}" y="{y + 22:.0f}" fill="{_SOFT}">{escape(note)}</text></g>')
    return "".join(parts)
