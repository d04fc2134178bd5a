"""The sentences of a report in one language, in sections, each with the evidence it stands on. No markup here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from releve.clock import Instant, to_iso
from releve.estate import FEED, Unit
from releve.recovery.forecast import Forecast, Span
from releve.sitrep.report import SituationReport, State
from releve.sitrep.wording import (
    WORDS,
    clock_text,
    date_text,
    evidence_text,
    length_text,
    seen,
    span_clocks,
)

#: So many hospitals are named in a sentence; the table below names them all.
HOSPITALS_NAMED_MAX = 4

#: So many earlier forecasts are shown; all of them stay in the reports before.
SLIPS_MAX = 6

#: A day so much slower than believed is worth a sentence.
SLOWER_MIN = 1.25

#: The form of the report: what each audience reads, in this order. The facts are the same, the depth is not.
FORM = {
    "cell": ("back", "out", "care", "emergency", "cause", "staff", "forecast", "restart"),
    "staff": ("back", "out", "care", "emergency", "cause", "staff", "forecast"),
    "authorities": ("back", "out", "care", "emergency", "cause", "staff", "forecast", "restart"),
    "public": ("back", "out", "care", "emergency", "cause", "advice", "forecast"),
}

#: Who reads what the probes saw, unit by unit; the others find it under the evidence.
_DEEP = ("cell", "authorities")

#: What the course of a restart tells, of all that its journal has.
_HAPPENED = {
    "up": "restart.up",
    "already-up": "restart.already",
    "failed": "restart.failed",
    "blocked": "restart.blocked",
    "skipped": "restart.skipped",
    "checked": "restart.checked",
    "check-failed": "restart.doubted",
    "released": "restart.released",
    "refused": "restart.refused",
    "step-back": "restart.stepped",
    "unclean": "restart.unclean",
}

#: Lines whose detail is what a probe saw; that of the others is a person's.
_PROBED = ("up", "already-up", "failed", "check-failed")

_PHASE_STAFF = {
    "unmeasured": ("staff.unmeasured",),
    "cut": ("staff.cut.1", "staff.cut.2"),
    "restart": ("staff.restart.1", "staff.restart.2"),
    "back": ("staff.back.1", "staff.back.2"),
}


class Line(msgspec.Struct, frozen=True):
    """A sentence and what it stands on.

    seen      what was seen, in a few words, for whoever reads that deep
    evidence  ids of releve.sitrep.evidence
    measured  it says what was measured, or declared by a named person: nobody may reword it
    todo      a person is expected to say more here before the report goes out
    """

    text: str
    seen: str = ""
    evidence: tuple[str, ...] = ()
    measured: bool = True
    todo: bool = False


class Section(msgspec.Struct, frozen=True):
    """A heading and its lines. key is stable, for anchors and tests."""

    key: str
    title: str
    lines: tuple[Line, ...]


def headline(report: SituationReport, lang: str) -> str:
    """Return the report in one sentence."""
    units = report.services()
    up = sum(report.worst(unit) == "normal" for unit in units)
    down = sum(report.worst(unit) in ("down", "returning") for unit in units)
    return WORDS[lang][f"head.{report.phase}"].format(up=up, down=down, all=len(units))


def sections(report: SituationReport, lang: str, audience: str = "cell") -> list[Section]:
    """Return the sentences for an audience, in the order in which they are read."""
    words = _Words(report, lang, audience)
    made: dict[str, Callable[[], list[Line]]] = {
        "back": words.back,
        "out": words.out,
        "care": words.care,
        "emergency": words.emergency,
        "cause": words.cause,
        "staff": words.staff,
        "advice": words.advice,
        "forecast": words.slips,
        "restart": words.restart,
    }
    return [Section(key, WORDS[lang][f"section.{key}"], tuple(made[key]())) for key in FORM[audience]]


def return_text(report: SituationReport, unit: Unit, lang: str, audience: str = "cell") -> str:
    """Return until when a service is out, as a sentence; empty when it is back everywhere."""
    if report.worst(unit) in ("normal", "degraded", "unknown"):
        return ""
    return _Words(report, lang, audience).until(unit.id)


class _Words:
    """A report with a language: everything that makes sentences."""

    def __init__(self, report: SituationReport, lang: str, audience: str) -> None:
        self._audience = audience
        self._report = report
        self._lang = lang
        self._words = WORDS[lang]
        self._estate = report.estate

    def back(self) -> list[Line]:
        """What works in every hospital, and since when."""
        lines = [self._service(unit, "normal") for unit in self._with_worst("normal")]
        return lines or [Line(self._words["none.back"], evidence=("states",))]

    def out(self) -> list[Line]:
        """What is not right somewhere, worst first as care wants it back, and until when."""
        report, lines, unmeasured = self._report, [], []
        for unit in report.services():
            states = report.by_state(unit)
            if states.keys() <= {"unknown"}:
                unmeasured.append(unit)
                continue
            lines += [self._service(unit, state) for state in states if state != "normal"]
            lines += self._waits(unit)
            if span := return_text(report, unit, self._lang, self._audience):
                lines.append(Line("    " + span, evidence=self._forecast_ids()))
        if not lines and report.states:
            lines.append(Line(self._words["none.out"], evidence=("states",)))
        lines += self._expectations()
        if unmeasured:
            text = self._words["unmeasured.services"].format(services=self._units(unmeasured))
            lines.append(Line(text, evidence=("states",)))
        return lines

    def until(self, unit: str) -> str:
        """Return the sentence about one unit's return."""
        forecast = self._report.forecast
        if forecast is None:
            return self._words["span.none"]
        if unit in forecast.unknown:
            return self._words["span.unknown"]
        span = forecast.units.get(unit)
        return self._span(forecast, span) if span else self._words["span.none"]

    def _waits(self, unit: Unit) -> list[Line]:
        """Say that a service answers and waits for a person to give it back to care."""
        waiting = self._report.unreleased(unit)
        if not waiting:
            return []
        places = [one for one in unit.hospitals if one in waiting]
        text = self._words["gate.waiting"].format(
            count=len(places), all=len(unit.hospitals), hospitals=self._hospitals(places)
        )
        ids = tuple(f"journal:{place}" for place, line in enumerate(self._report.journal) if line.unit == unit.id)
        return [Line("    " + text, evidence=ids[-1:])]

    def care(self) -> list[Line]:
        """What is measured about the work at the hospitals, and what is not."""
        care, words = self._report.care, self._words
        lines = []
        if care.open:
            closed = [one for one, is_open in care.open.items() if not is_open]
            text = words["care.open"].format(open=len(care.open) - len(closed), all=len(care.open))
            lines.append(Line(text, evidence=("nodes",)))
            if closed and self._audience != "public":
                text = words["care.closed"].format(hospitals=self._hospitals(closed, every=True))
                lines.append(Line(text, evidence=("nodes",)))
        else:
            lines.append(Line(words["care.unmeasured"], evidence=("nodes",)))
        if self._audience != "public":
            lines += self._counts()
        return lines + (self._declared("care") or [Line(words["care.expected"], measured=False, todo=True)])

    def _counts(self) -> list[Line]:
        """What was taken in, what is owed, what was refused: counts, for whoever works with them."""
        care, words = self._report.care, self._words
        texts = []
        if care.captured is not None:
            took = care.captured
            texts.append(
                words["care.captured"].format(
                    admissions=took.admissions, results=took.results, notes=took.notes, others=took.others
                )
            )
        if care.owed is not None:
            accepted = "–" if care.accepted is None else care.accepted
            texts.append(words["care.owed"].format(owed=care.owed, accepted=accepted))
        if care.refused:
            texts.append(words["care.refused"].format(refused=care.refused))
        return [Line(text, evidence=("counts",)) for text in texts]

    def emergency(self) -> list[Line]:
        """What is measured where there are emergency departments, and what a person declared."""
        care, words = self._report.care, self._words
        places = [site.id for site in self._estate.hospitals() if site.emergency]
        lines = []
        asked = [care.open[one] for one in places if one in care.open]
        if asked:
            text = words["emergency.open"].format(open=sum(asked), all=len(places))
            lines.append(Line(text, evidence=("nodes",)))
        return lines + (self._declared("emergency") or [Line(words["emergency.undeclared"], measured=False, todo=True)])

    def staff(self) -> list[Line]:
        """What staff must do now."""
        rules = [Line(self._words[key], measured=False) for key in _PHASE_STAFF[self._report.phase]]
        return self._declared("staff") + rules

    def advice(self) -> list[Line]:
        """What the public should do, which does not depend on what is measured."""
        return [Line(self._words[f"advice.{key}"], measured=False) for key in ("emergency", "appointment")]

    def cause(self) -> list[Line]:
        """The evidence in the order in which it was seen, what it explains, and what is not known."""
        report, words = self._report, self._words
        declared = self._declared("cause")
        if not report.losses or report.explained is None:
            nothing = (words["cause.nothing"], words["cause.unknown.all"])
            return [*(Line(text, evidence=("losses",)) for text in nothing), *declared]
        fell = report.explained.fell
        first, ids = self._names(fell), tuple(f"loss:{one}" for one in fell)
        lines = [line for _, line in sorted(self._losses(fell), key=lambda pair: pair[0])]
        if self._audience in _DEEP:
            lines += self._later(fell)
        is_power = all(self._estate.units[one].kind == FEED for one in fell)
        lines.append(Line(words["cause.power" if is_power else "cause.other"], evidence=ids))
        lines.append(Line(words["cause.unknown"].format(first=first), evidence=("losses",)))
        return lines + declared

    def _later(self, fell: Sequence[str]) -> list[Line]:
        """Return what the first loss explains of the later ones, and what it does not."""
        report, words = self._report, self._words
        assert report.explained is not None
        lines = []
        later = list(dict.fromkeys(loss.unit for loss in report.losses if loss.unit not in fell))
        explained = [unit for unit in later if unit in report.explained.falls]
        if later:
            text = words["cause.explained"].format(count=len(explained), all=len(later))
            lines.append(Line(text, evidence=("losses", "estate")))
        if left := [unit for unit in later if unit not in report.explained.falls]:
            text = words["cause.unexplained"].format(units=self._names(left))
            lines.append(Line(text, evidence=(*(f"loss:{one}" for one in left), "estate")))
        if report.every_s:
            text = words["cause.order"].format(every=length_text(report.every_s))
            lines.append(Line(text, evidence=("losses",)))
        return lines

    def _losses(self, fell: Sequence[str]) -> Iterable[tuple[Instant, Line]]:
        """Return what was lost first and came back, with its time."""
        words, is_first = self._words, True
        for loss in self._report.losses:
            if loss.unit not in fell:
                continue
            key, is_first = ("cause.first" if is_first else "cause.also"), False
            name, ids = self._names([loss.unit]), (f"loss:{loss.unit}",)
            text = words[key].format(when=self._clock(loss.at, seconds=True), unit=name)
            yield loss.at, Line(text, self._seen(evidence_text(loss.evidence, self._lang)), ids)
            if loss.back_at is not None:
                length, back = length_text((loss.back_at - loss.at) / 1e6), self._clock(loss.back_at, seconds=True)
                text = words["cause.back"].format(when=back, unit=name, length=length)
                yield loss.back_at, Line(text, evidence=ids)

    def slips(self) -> list[Line]:
        """Earlier forecasts with what became of them, and how far the newest moved."""
        report, words = self._report, self._words
        shown_max = SLIPS_MAX if self._audience in _DEEP else 1
        earlier = [one for one in report.earlier if one.essential is not None]
        lines = [Line(self._slip(one), evidence=(f"forecast:{to_iso(one.issued_at)}",)) for one in earlier[-shown_max:]]
        clocked = [one for one in earlier if not one.after]
        now = report.forecast
        if clocked and now is not None and now.essential is not None and not now.after:
            before = clocked[-1]
            assert before.essential is not None
            later_s = (now.issued_at - before.issued_at) / 1e6 + now.essential.p90_s - before.essential.p90_s
            if later_s >= 1:
                text = words["slip.moved"].format(late=length_text(later_s))
                ids = (f"forecast:{to_iso(before.issued_at)}", *self._forecast_ids())
                lines.append(Line(text, evidence=ids))
        return lines or [Line(words["none.forecast"])]

    def restart(self) -> list[Line]:
        """What came back when, in order, and what failed."""
        report, words = self._report, self._words
        lines = []
        for place, line in enumerate(report.journal):
            key = _HAPPENED.get(line.kind)
            if key is None or line.unit not in self._estate.units:
                continue
            if line.kind == "up" and self._estate.units[line.unit].start is None:
                key = "restart.came"
            took = length_text(line.took_s) if line.took_s is not None else "–"
            when = self._clock(line.at, seconds=True)
            where = self._hospitals([line.hospital]) if line.hospital in self._estate.sites else words["everywhere"]
            text = words[key].format(
                when=when, unit=self._names([line.unit]), length=took, by=line.by or words["nobody"], where=where
            )
            saw = ""
            if line.kind in _PROBED:
                is_up = line.kind in ("up", "already-up")
                saw = evidence_text(seen("up" if is_up else "wrong", line.detail), self._lang)
            lines.append(Line(text, self._seen(saw), (f"journal:{place}",)))
        if not lines:
            return [Line(words["none.restart"])]
        ids = tuple(id_ for line in lines for id_ in line.evidence)
        total = words["restart.total"].format(up=len(report.ups()), all=len(self._estate.units))
        return [*lines, Line(total, evidence=ids)]

    def _expectations(self) -> list[Line]:
        """Essential and last, apart: the last tenth is long, and one date for both misleads about either."""
        forecast, words = self._report.forecast, self._words
        if forecast is None or self._report.phase in ("back", "unmeasured"):
            return []
        texts = []
        for key, span in (("essential", forecast.essential), ("last", forecast.last)):
            if span is not None:
                texts.append(words[key].format(span=self._span(forecast, span)))
        if forecast.after and texts and self._audience != "public":
            texts.append(words["span.noclock"].format(power=self._names(forecast.after)))
        if forecast.provisional and texts:
            texts.append(words["provisional"])
        elif forecast.factor >= SLOWER_MIN:
            factor = f"{forecast.factor:.1f}"
            texts.append(words["slower"].format(factor=factor.replace(".", ",") if self._lang == "fr" else factor))
        return [Line(text, evidence=self._forecast_ids()) for text in texts]

    def _forecast_ids(self) -> tuple[str, ...]:
        forecast = self._report.forecast
        return () if forecast is None else (f"forecast:{to_iso(forecast.issued_at)}",)

    def _seen(self, text: str) -> str:
        """Return what was seen for those who read that deep."""
        return text if self._audience in _DEEP else ""

    def _span(self, forecast: Forecast, span: Span) -> str:
        if self._audience == "public":
            # The press prints the earliest date it is given; the public gets the one that holds nine times in ten.
            if forecast.after:
                return self._words["span.public.power"].format(p90=length_text(span.p90_s))
            _, p90 = span_clocks(span, forecast.issued_at, self._estate.zone, self._lang)
            return self._words["span.public"].format(p90=p90)
        if forecast.after:
            return self._words["span.power"].format(
                power=self._names(forecast.after), p50=length_text(span.p50_s), p90=length_text(span.p90_s)
            )
        p50, p90 = span_clocks(span, forecast.issued_at, self._estate.zone, self._lang)
        return self._words["span.clock"].format(p50=p50, p90=p90)

    def _slip(self, earlier: Forecast) -> str:
        assert earlier.essential is not None
        issued = self._clock(earlier.issued_at, seconds=True)
        if earlier.after:
            within, power = length_text(earlier.essential.p90_s), self._names(earlier.after)
            return self._words["slip.power"].format(issued=issued, p90=within, power=power)
        _, p90 = span_clocks(earlier.essential, earlier.issued_at, self._estate.zone, self._lang)
        due_at = earlier.issued_at + round(earlier.essential.p90_s * 1e6)
        back_at = self._essential_back_at()
        if back_at is not None:
            key = "slip.held" if back_at <= due_at else "slip.missed"
            return self._words[key].format(issued=issued, p90=p90, back=self._clock(back_at, seconds=True))
        key = "slip.past" if due_at < self._report.issued_at else "slip.open"
        return self._words[key].format(issued=issued, p90=p90)

    def _essential_back_at(self) -> Instant | None:
        """Return when the last unit of tier 0 and 1 was back, None while one is not."""
        ups = {line.unit: line.at for line in self._report.ups()}
        wanted = [unit.id for unit in self._estate.units.values() if unit.tier <= 1]
        return max((ups[one] for one in wanted), default=None) if all(one in ups for one in wanted) else None

    def _service(self, unit: Unit, state: State) -> Line:
        report, words = self._report, self._words
        places = report.by_state(unit)[state]
        name = self._words[f"state.{state}"]
        blanks = {"service": unit.name.in_language(self._lang), "state": name, "all": len(unit.hospitals)}
        if len(places) == len(unit.hospitals):
            text = words["service.everywhere"].format(count=len(places), **blanks)
        else:
            key = "service.one" if len(places) == 1 else "service.some"
            text = words[key].format(count=len(places), hospitals=self._hospitals(places), **blanks)
        since = report.since(unit, state)
        if since is not None:
            text = words["service.since"].format(sentence=text, when=self._clock(since))
        found = [report.states[unit.id, one].evidence for one in places if (unit.id, one) in report.states]
        saw = evidence_text(next((one for one in found if one), ""), self._lang)
        return Line(text, self._seen(saw), (f"state:{unit.id}:{state}",))

    def _declared(self, topic: str) -> list[Line]:
        lines = []
        for place, one in enumerate(self._report.declared):
            if one.topic == topic:
                text = self._words["declared"].format(
                    words=one.words.in_language(self._lang), by=one.by, when=self._clock(one.at)
                )
                lines.append(Line(text, evidence=(f"declared:{place}",)))
        return lines

    def _with_worst(self, state: State) -> list[Unit]:
        return [unit for unit in self._report.services() if unit.hospitals and self._report.worst(unit) == state]

    def _clock(self, at: Instant, *, seconds: bool = False) -> str:
        return clock_text(at, self._report.issued_at, self._estate.zone, self._lang, seconds=seconds)

    def _names(self, units: Iterable[str]) -> str:
        return self._joined([self._estate.units[one].name.in_language(self._lang) for one in units])

    def _units(self, units: Sequence[Unit]) -> str:
        return self._joined([unit.name.in_language(self._lang) for unit in units])

    def _hospitals(self, ids: Sequence[str], *, every: bool = False) -> str:
        names = [self._estate.sites[one].name.in_language(self._lang) for one in ids]
        if len(names) > HOSPITALS_NAMED_MAX and not every:
            return ", ".join(names[:HOSPITALS_NAMED_MAX]) + " …"
        return self._joined(names)

    def _joined(self, names: Sequence[str]) -> str:
        if len(names) < 2:
            return "".join(names)
        return f"{', '.join(names[:-1])} {self._words['and']} {names[-1]}"


def issued_text(report: SituationReport, lang: str) -> str:
    """Return when the report was issued, as a sentence without its full stop."""
    return WORDS[lang]["issued"].format(when=date_text(report.issued_at, report.estate.zone, lang))


def next_text(report: SituationReport, lang: str) -> str:
    """Return when the next one is due, as a sentence."""
    when = clock_text(report.next_at, report.issued_at, report.estate.zone, lang)
    return WORDS[lang]["next"].format(when=when)
