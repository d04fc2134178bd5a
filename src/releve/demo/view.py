"""The night as a picture in the terminal, or as plain lines where there is none (a file, CI)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from releve.demo.estate import PLACES
from releve.demo.hospitals import Hospital
from releve.demo.sentences import PHASES, Lang, say

#: The picture is drawn anew so often; more would cost the nodes their processor.
_DRAWS_PER_S = 4
_SENTENCES_SHOWN = 9
_NAME_CHARS = 19
_BARS = "▁▂▃▄▅▆▇█"
#: A read that waits this long fills its bar.
_FULL_BAR_MS = 200.0
_BARS_SHOWN = 6
#: Below this width the centre stands under the hospitals.
_WIDE_CHARS = 120
#: Lines of the terminal that are not hospitals: frames, heading, sentences.
_OTHER_LINES = _SENTENCES_SHOWN + 9
#: And of the centre, where it stands under them.
_CENTRE_LINES = 9
#: Reads of which the shown waiting time is the middle.
_RECENT_READS = 40

_COLOURS = {
    "up": "bold green",
    "open": "bold green",
    "down": "bold red",
    "killed": "bold white on red",
    "starting": "bold yellow",
    "unknown": "dim",
}
_STATES: dict[str, dict[Lang, str]] = {
    "up": {"fr": "● en marche", "en": "● up"},
    "open": {"fr": "● ouvert", "en": "● open"},
    "down": {"fr": "✖ à l’arrêt", "en": "✖ down"},
    "killed": {"fr": "✖ TUÉ", "en": "✖ KILLED"},
    "starting": {"fr": "◐ démarre", "en": "◐ starting"},
    "unknown": {"fr": "·", "en": "·"},
}
_HEADINGS: dict[Lang, tuple[str, ...]] = {
    "fr": ("hôpital", "nœud", "gardés", "dus", "lectures", "échecs"),
    "en": ("hospital", "node", "kept", "owed", "reads", "failed"),
}
_WIDTHS = (12, 9, 6, 5, 13, 7)
_PHASE_COLOURS = {"cut": "bold white on red", "return": "bold black on yellow", "after": "bold black on yellow"}


@dataclass
class Row:
    """What is known of a hospital now."""

    hospital: Hospital
    node: str = "unknown"
    acknowledged: int = 0
    owed: int = 0
    reads: int = 0
    failed: int = 0
    recent_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT_READS))


class View:
    """What people see of the night; the script tells it, it draws.

    is_plain  lines instead of a picture; so when the output is no terminal
    """

    def __init__(self, hospitals: Sequence[Hospital], lang: Lang, console: Console, *, is_plain: bool) -> None:
        self.lang = lang
        self.rows = {hospital.id: Row(hospital) for hospital in hospitals}
        self.services = {place.id: "unknown" for place in PLACES}
        self.console = console
        self._phase = "stage"
        self._began = time.monotonic()
        self._sentences: deque[tuple[float, str]] = deque(maxlen=_SENTENCES_SHOWN)
        self._live = (
            None
            if is_plain
            else Live(console=console, get_renderable=self._draw, refresh_per_second=_DRAWS_PER_S, transient=False)
        )

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing; what is told afterwards is a line."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    @property
    def _is_wide(self) -> bool:
        return self.console.width >= _WIDE_CHARS

    @property
    def elapsed_s(self) -> float:
        """Seconds since the night began."""
        return time.monotonic() - self._began

    def phase(self, name: str) -> None:
        """The night enters another phase."""
        self._phase = name

    def tell(self, key: str, **values: object) -> None:
        """Something happened."""
        sentence = say(key, self.lang, **values)
        self._sentences.append((self.elapsed_s, sentence))
        if self._live is None:
            self.console.print(f"{self.elapsed_s:6.1f} s  {sentence}", highlight=False, soft_wrap=True, markup=False)

    def on_read(self, site: str, took_ms: float, is_well: bool) -> None:
        """Somebody read something; while the centre is away it is counted."""
        row = self.rows[site]
        row.recent_ms.append(took_ms)
        if self._phase == "cut":
            row.reads += 1
            row.failed += not is_well

    def name_of(self, unit: str) -> str:
        """Return what a program of the centre is called in the reader's language."""
        place = next(place for place in PLACES if place.id == unit)
        return place.fr if self.lang == "fr" else place.en

    def _draw(self) -> RenderableType:
        parts: list[tuple[str, str]] = [
            ("  Relève  ", "bold white on blue"),
            (f"  {int(self.elapsed_s) // 60}:{int(self.elapsed_s) % 60:02}  ", "bold"),
        ]
        for name, words in PHASES.items():
            style = _PHASE_COLOURS.get(name, "bold black on green") if name == self._phase else "dim"
            parts.append((f" {words[self.lang]} ", style))
        title = Text.assemble(*parts, no_wrap=True, overflow="crop")
        body = Table.grid(padding=(0, 2))
        if self._is_wide:
            body.add_row(self._hospitals(), self._centre())
        else:
            body.add_row(self._hospitals())
            body.add_row(self._centre())
        lines = Text("\n", no_wrap=True, overflow="ellipsis").join(
            Text(f"{at:6.1f} s  {sentence}") for at, sentence in self._sentences
        )
        return Group(title, body, Panel(lines, border_style="dim", height=_SENTENCES_SHOWN + 2))

    def _hospitals(self) -> RenderableType:
        table = Table(box=SIMPLE_HEAD, border_style="dim", header_style="bold", padding=(0, 1))
        for index, heading in enumerate(_HEADINGS[self.lang]):
            table.add_column(heading, justify="left" if index < 2 else "right", no_wrap=True, min_width=_WIDTHS[index])
        room = max(3, self.console.height - _OTHER_LINES - (0 if self._is_wide else _CENTRE_LINES))
        for row in list(self.rows.values())[:room]:
            table.add_row(
                f"{row.hospital.id} {row.hospital.name.removeprefix('Hôpital ')}"[:_NAME_CHARS],
                Text(_STATES[row.node][self.lang], _COLOURS[row.node]),
                str(row.acknowledged),
                str(row.owed),
                _waits(row),
                Text(f"{row.failed}/{row.reads}", "bold red" if row.failed else "green"),
            )
        if len(self.rows) > room:
            table.add_row(f"… + {len(self.rows) - room}")
        return table

    def _centre(self) -> RenderableType:
        cells = []
        for place in PLACES:
            state = self.services[place.id]
            name = place.fr if self.lang == "fr" else place.en
            cells.append(Text.assemble((_STATES[state][self.lang][:1] + " ", _COLOURS[state]), name))
        title = "Centre d’hébergement" if self.lang == "fr" else "Hosting centre"
        return Panel(Group(*cells) if self._is_wide else Columns(cells, equal=True, column_first=True), title=title)


def _waits(row: Row) -> Text:
    """Return how long readers lately waited: the middle, and a bar for each of the last reads."""
    if not row.recent_ms:
        return Text("–")
    middle = sorted(row.recent_ms)[len(row.recent_ms) // 2]
    bars = "".join(
        _BARS[min(len(_BARS) - 1, int(waited / _FULL_BAR_MS * len(_BARS)))]
        for waited in list(row.recent_ms)[-_BARS_SHOWN:]
    )
    return Text.assemble((bars, "cyan"), f" {middle:3.0f} ms")
