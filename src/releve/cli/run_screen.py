"""What a run looks like at a terminal: a line for everything that happens, and below them where it stands.

Where standard output is no terminal there are only the lines, the same ones without colour.
"""

from __future__ import annotations

import sys
from typing import Any
from zoneinfo import ZoneInfo

from releve.clock import to_datetime
from releve.estate import Estate
from releve.recovery.console_words import KINDS
from releve.recovery.driver.person import whom
from releve.recovery.journal import Happened
from releve.recovery.outcome import RunResult
from releve.recovery.past import step_of

_WORDS = {
    "en": {
        "followed": "This run is carried out by another process. You see the same run; decisions typed here count.",
        "taken-over": "The process that carried this run out is gone. It goes on from here; nothing is done twice.",
        "interrupted": "Nothing new is started; what runs is waited for. Ctrl-C once more leaves it as it is.",
        "typing": "Decisions: pause, resume, cancel, skip UNIT: why, retry UNIT, done UNIT, release UNIT [HOSPITAL] …",
        "status": "{done} done · {running} running{names} · {asked} waiting for a person",
        "sum": "{order} in {makespan:.1f} s; no order could have beaten {bound:.1f} s ({limit}): {ratio:.2f} of that.",
        "capacity": "the capacity {name}",
        "chain": "the chain of needs",
        "failed": "failed",
        "blocked": "blocked behind them",
        "left": "not done",
        "everybody": "everybody",
        "release": "release {unit} to {where}",
        "failed-now": "Retry, skip or cancel",
        "colon": ": ",
    },
    "fr": {
        "followed": "Un autre processus exécute cette opération. Vous voyez la même ; vos décisions comptent.",
        "taken-over": "Le processus qui l’exécutait a disparu. Elle continue ici ; rien n’est fait deux fois.",
        "interrupted": "Rien de nouveau ne démarre ; l’en-cours est attendu. Ctrl-C encore : tout laisser tel quel.",
        "typing": "Décisions : pause, resume, cancel, skip UNITÉ: motif, retry UNITÉ, done UNITÉ, release UNITÉ [SITE]",
        "status": "{done} faits · {running} en cours{names} · {asked} en attente d’une personne",
        "sum": "{order} en {makespan:.1f} s ; le mieux possible était {bound:.1f} s ({limit}) : {ratio:.2f} fois.",
        "capacity": "la capacité {name}",
        "chain": "la chaîne des dépendances",
        "failed": "en échec",
        "blocked": "bloqués derrière",
        "left": "non faits",
        "everybody": "tous",
        "release": "rendre aux soins {unit}, pour {where}",
        "failed-now": "Réessayer (retry), laisser de côté (skip) ou abandonner (cancel)",
        "colon": "\u202f: ",
    },
}

_COLOURS = {"✓": "green", "✗": "bold red", "!": "yellow", "?": "bold cyan", "»": "cyan", "‖": "yellow"}

#: So many names of what runs fit in the line below.
_NAMES_MAX = 4

_BEGINS = ("start-began", "stop-began", "check-began", "waiting")
_ENDS = (
    *("up", "already-up", "down", "already-down", "left", "checked", "released", "skipped"),
    *("failed", "check-failed", "refused", "blocked"),
)


class RunScreen:
    """Shows a run, in one language; use it as a block."""

    def __init__(self, estate: Estate, lang: str) -> None:
        self._estate = estate
        self._zone = ZoneInfo(estate.zone)
        self._lang = lang
        self._words = _WORDS[lang]
        self._live: Any = None
        self._done: set[str] = set()
        self._running: dict[str, None] = {}
        self._asked: set[str] = set()

    def __enter__(self) -> RunScreen:
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(highlight=False), auto_refresh=False, transient=True)
            self._live.start()
            self.note(self._words["typing"])
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, line: Happened) -> None:
        """Show a line of the journal."""
        self._count(line)
        if line.kind == "launched":
            return  # for whoever resumes the run, not for people
        mark, *words = KINDS.get(line.kind, ("·", line.kind, line.kind))
        clock = to_datetime(line.at).astimezone(self._zone).strftime("%H:%M:%S")
        took = f" ({line.took_s:.1f} s)" if line.took_s is not None else ""
        where = step_of(line)
        text = f"{clock} {mark} {words[self._lang == 'en']:16} {where:24} {self._detail(line)}{took}"
        self._print(text.rstrip(), _COLOURS.get(mark, ""))

    def say(self, what: str) -> None:
        """Say one of this screen's own sentences."""
        self.note(self._words[what])

    def note(self, text: str) -> None:
        """Say something that is no line of the journal."""
        self._print(f"         {text}", "italic")

    def sum_up(self, result: RunResult) -> None:
        """Say how it went, and how far from the best that could be."""
        self.end()
        limit = self._words["capacity"].format(name=result.bottleneck) if result.bottleneck else self._words["chain"]
        self._print(
            self._words["sum"].format(
                order=len(result.order),
                makespan=result.makespan_s,
                bound=result.bound_s,
                limit=limit,
                ratio=result.ratio,
            )
        )
        for word, names in (("failed", result.failed), ("blocked", result.blocked), ("left", result.left)):
            if names:
                self._print(f"{self._words[word]}: {', '.join(names)}")

    def _detail(self, line: Happened) -> str:
        """Return the detail of a line; what a person is asked for in the language of this console."""
        unit = self._estate.units.get(line.unit)
        if line.kind != "asked" or unit is None:
            return line.detail
        reminder = line.detail.partition(": ")[0] + self._words["colon"] if line.detail.startswith("reminder") else ""
        command = {"start": unit.start, "stop": unit.stop, "check": unit.check}.get(line.act)
        if line.act == "release":
            site = self._estate.sites.get(line.hospital)
            where = site.name.in_language(self._lang) if site else self._words["everybody"]
            what = self._words["release"].format(unit=unit.name.in_language(self._lang), where=where)
            contact = unit.release
        elif command is not None and command.words is not None:
            what, contact = command.words.in_language(self._lang), command.address
        else:
            repair = f"{unit.repair.in_language(self._lang)}. " if unit.repair else ""
            what, contact = f"{repair}{self._words['failed-now']}", unit.owner
        called = self._estate.contacts.get(contact)
        return reminder + what + (self._words["colon"] + whom(called, self._lang) if called else "")

    def _count(self, line: Happened) -> None:
        name = step_of(line)
        if line.kind in _BEGINS:
            self._running[name] = None
        elif line.kind == "asked":
            self._asked.add(name)
        elif line.kind in _ENDS:
            self._running.pop(name, None)
            self._asked.discard(name)
            (self._done.add if line.kind in _ENDS[:8] else self._done.discard)(name)
        elif line.kind == "step-back":
            self._done.discard(name)
            self._running.pop(name, None)
        elif line.kind == "decided":
            self._asked.discard(name)

    def _print(self, text: str, style: str = "") -> None:
        if self._live is None:
            print(text, flush=True)
            return
        from rich.text import Text

        self._live.console.print(Text(text, style=style))
        shown = list(self._running)[:_NAMES_MAX]
        more = "…" if len(self._running) > _NAMES_MAX else ""
        names = f" ({', '.join(shown)}{more})" if shown else ""
        self._live.update(
            self._words["status"].format(
                done=len(self._done), running=len(self._running), names=names, asked=len(self._asked)
            ),
            refresh=True,  # and not by itself: what somebody is typing would be wiped away four times a second
        )
