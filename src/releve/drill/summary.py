"""The exercise on one page, in French and English, as text and as HTML that needs nothing else and prints on A4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from releve.clock import Instant, to_datetime
from releve.drill.assessment import Assessment, Reached, between_s
from releve.drill.chronogramme import elapsed_text
from releve.drill.played import CONTROL, Question
from releve.drill.scenario import Scenario
from releve.drill.words import WORDS
from releve.estate import Estate
from releve.recovery.plan_text import time_text
from releve.recovery.score_text import record_row

#: So many questions are listed; the decisions file has them all.
QUESTIONS_MAX = 60

_US = 1_000_000
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Block:
    """A heading with a table or sentences under it, the same in both forms."""

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """The page as a value."""

    lang: str
    title: str
    facts: tuple[tuple[str, str], ...]
    verdict: str
    is_good: bool
    blocks: tuple[Block, ...]


def summarize(
    estate: Estate,
    scenario: Scenario,
    found: Assessment,
    questions: tuple[Question, ...],
    lang: str,
    *,
    is_real: bool = False,
) -> Summary:
    """Return the page of an exercise.

    is_real  real processes fell and came back; otherwise durations were simulated, and the page says so
    """
    return _Writer(estate, scenario, found, questions, lang, is_real=is_real).summary()


def render_html(summary: Summary) -> str:
    """Return it as one page without script or address."""
    return _PAGES.get_template("summary.html.j2").render(page=summary, words=WORDS[summary.lang])


def render_text(summary: Summary) -> str:
    """Return it as text for a terminal and for the file of an audit."""
    exercise = WORDS[summary.lang]["exercise"]
    lines = [exercise, "", summary.title, "═" * len(summary.title), ""]
    width = max(len(name) for name, _ in summary.facts)
    lines += [f"{name.ljust(width)}  {value}" for name, value in summary.facts]
    lines += ["", summary.verdict]
    for block in summary.blocks:
        lines += ["", block.title, "─" * len(block.title)]
        lines += list(block.sentences)
        if block.rows:
            rows = [block.head, *block.rows] if block.head else list(block.rows)
            widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
            lines += [
                "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows
            ]
    return "\n".join([*lines, "", exercise]) + "\n"


class _Writer:
    def __init__(
        self,
        estate: Estate,
        scenario: Scenario,
        found: Assessment,
        questions: tuple[Question, ...],
        lang: str,
        *,
        is_real: bool,
    ) -> None:
        self._estate = estate
        self._scenario = scenario
        self._found = found
        self._questions = questions
        self._lang = lang
        self._words = WORDS[lang]
        self._is_real = is_real

    def summary(self) -> Summary:
        found, words = self._found, self._words
        missed = [one for one in found.goals if not one.is_met]
        verdict = words["verdict.all"] if not missed else words["verdict.some"].format(n=len(missed))
        if not found.is_complete:
            verdict = words["verdict.left"].format(n=len(found.left))
        blocks = [self._goals(), self._times(), self._restart(), self._decisions(), self._forecasts()]
        if found.announced:
            blocks.append(self._announced())
        blocks.append(Block(words["block.limits"], sentences=self._limits()))
        return Summary(
            self._lang,
            f"{words['title']} — {self._scenario.name.in_language(self._lang)}",
            self._facts(),
            verdict,
            found.is_complete and not missed,
            tuple(blocks),
        )

    def _facts(self) -> tuple[tuple[str, str], ...]:
        words, moments = self._words, self._found.moments
        kind = words["kind.real"] if self._is_real else words["kind.simulated"]
        facts = [
            (words["fact.estate"], self._estate.name.in_language(self._lang)),
            (words["fact.kind"], kind),
            (words["fact.debex"], self._clock(moments.began)),
            (words["fact.finex"], self._clock(moments.ended)),
        ]
        if not self._is_real:
            facts.append(
                (words["fact.seed"], words["seed"].format(seed=self._scenario.seed, factor=self._scenario.factor))
            )
        return tuple(facts)

    def _goals(self) -> Block:
        words = self._words
        rows = [
            (
                words[f"goal.{one.mark}"],
                self._measure(one, one.goal),
                words["never"] if one.reached is None else self._measure(one, one.reached),
                f"✓ {words['met']}" if one.is_met else f"✕ {words['missed']}",
            )
            for one in self._found.goals
        ]
        return Block(words["block.goals"], tuple(words["goals.head"].split("|")), tuple(rows))

    def _measure(self, one: Reached, value: float) -> str:
        if one.mark == "ratio":
            text = f"{value:.2f}"
            return f"{text.replace('.', ',') if self._lang == 'fr' else text} ×"
        return time_text(value)

    def _times(self) -> Block:
        words, moments = self._words, self._found.moments
        seen = words["time.seen"]
        if moments.seen is not None:
            seen += words["seen.people"] if moments.seen_by == "people" else words["seen.probe"]
        rows = [
            (name, elapsed_text((at - moments.began) / _US) if at is not None else words["never"], self._clock(at))
            for name, at in (
                (words["time.lost"], moments.lost),
                (seen, moments.seen),
                (words["time.declared"], moments.declared),
                (words["time.forecast"], moments.first_forecast),
                (words["time.report"], moments.first_report),
                (words["time.restart"], moments.restart_began),
                (words["time.essential"], self._found.essential_at),
                (words["time.last"], self._found.last_at),
            )
        ]
        return Block(words["block.times"], tuple(words["times.head"].split("|")), tuple(rows))

    def _restart(self) -> Block:
        found, words = self._found, self._words
        if found.makespan_s is None or found.bound_s is None:
            return Block(words["block.restart"], sentences=(words["restart.never"],))
        capacity = self._estate.capacities.get(found.bottleneck or "")
        limit = words["limit.chain"] if capacity is None else capacity.name.in_language(self._lang)
        sentences = [
            words["restart.took"].format(took=time_text(found.makespan_s), bound=time_text(found.bound_s), limit=limit),
            words["restart.unclean"].format(n=found.unclean),
            words["restart.reports"].format(n=found.reports),
        ]
        if found.left:
            names = ", ".join(found.left[:12]) + (" …" if len(found.left) > 12 else "")
            sentences.append(words["restart.left"].format(names=names))
        return Block(words["block.restart"], sentences=tuple(sentences))

    def _decisions(self) -> Block:
        words, done = self._words, self._found.decisions
        sentences = [
            words["decisions.sum"].format(n=done.questions, answered=done.answered, control=done.by_control),
            words["decisions.kinds"].format(
                skips=done.skips, retries=done.retries, backs=done.step_backs, refused=done.refused
            ),
        ]
        if done.middle_s is not None and done.longest_s is not None:
            middle, longest = time_text(done.middle_s), time_text(done.longest_s)
            sentences.insert(1, words["decisions.waits"].format(middle=middle, longest=longest))
        if done.steps_by_hand:
            sentences.append(words["decisions.steps"].format(n=done.steps_by_hand))
        if done.not_obeyed:
            sentences.append(words["decisions.late"].format(n=done.not_obeyed))
        asked = [one for one in self._questions if one.act not in ("start", "stop")]
        rows = [self._question(one) for one in asked[:QUESTIONS_MAX]]
        head = tuple(words["decisions.head"].split("|")) if rows else ()
        return Block(words["block.decisions"], head, tuple(rows), tuple(sentences))

    def _question(self, one: Question) -> tuple[str, ...]:
        words = self._words
        unit = self._estate.units[one.unit].name.in_language(self._lang)
        waited = time_text(one.waited_s) if one.waited_s is not None else words["never"]
        by = words["control"] if one.by == CONTROL else one.by or words["never"]
        asked = elapsed_text((one.asked_at - self._found.moments.began) / _US)
        verb = words.get(f"verb.{one.verb}", one.verb)
        return asked, f"{unit} {one.hospital}".strip(), words[f"act.{one.act}"], verb, by, waited

    def _forecasts(self) -> Block:
        words, score = self._words, self._found.forecasts
        records = [
            (words["everything"], score.everything),
            (words["essential"], score.essential),
            (words["last"], score.last),
            *((self._estate.units[unit].name.in_language(self._lang), one) for unit, one in score.services.items()),
        ]
        rows = tuple((name, *record_row(record, self._lang)) for name, record in records)
        sentences = (
            words["forecasts.sum"].format(n=score.forecasts, provisional=score.provisional, slips=len(score.slips)),
        )
        return Block(words["block.forecasts"], tuple(words["forecasts.head"].split("|")), rows, sentences)

    def _announced(self) -> Block:
        words = self._words
        rows = [
            (
                elapsed_text(one.issued_s) if one.issued_s is not None else words["unknown"],
                one.words,
                elapsed_text(one.predicted_s) if one.predicted_s is not None else words["unknown"],
                one.outcome or words["unknown"],
            )
            for one in self._found.announced
        ]
        return Block(words["block.announced"], tuple(words["announced.head"].split("|")), tuple(rows))

    def _limits(self) -> tuple[str, ...]:
        words, found = self._words, self._found
        sentences = [words["limit.real"] if self._is_real else words["limit.simulated"]]
        if found.decisions.by_control:
            sentences.append(words["limit.control"].format(n=found.decisions.by_control))
        if found.moments.seen_by == "people":
            sentences.append(words["limit.unprobed"])
        length_s = between_s(found.moments.began, found.moments.ended)
        if length_s is not None:
            sentences.append(words["limit.length"].format(length=time_text(length_s)))
        return (*sentences, words["limit.files"])

    def _clock(self, at: Instant | None) -> str:
        if at is None:
            return self._words["never"]
        when: datetime = to_datetime(at).astimezone(ZoneInfo(self._estate.zone))
        return f"{when:%d/%m/%Y %H:%M:%S}" if self._lang == "fr" else f"{when:%Y-%m-%d %H:%M:%S}"
