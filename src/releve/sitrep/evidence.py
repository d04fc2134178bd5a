"""What the sentences of a report stand on, each with an id that the sentences name. Counts and names, never addresses.

states                every measurement            state:UNIT:STATE      those of one service in one state
losses                everything seen to go        loss:UNIT             one of them
nodes, counts         the hospitals' own nodes     estate                the model of what stands on what
forecast:TIME         one forecast                 journal:N             line N of the restart's journal
declared:N            words of a named person
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from releve.clock import Instant, to_iso
from releve.estate import Bilingual
from releve.recovery.console_words import KINDS
from releve.sitrep.report import Measured, SituationReport
from releve.sitrep.wording import LANGS, WORDS, clock_text, evidence_text

#: So many are named in the list of evidence; the readings of all of them are kept for machines.
NAMED_MAX = 4


class Reading(msgspec.Struct, frozen=True):
    """One measurement behind a sentence: which hospital, when, what was seen."""

    hospital: str
    at: Instant
    seen: Bilingual


class Evidence(msgspec.Struct, frozen=True):
    """One thing that sentences stand on.

    at        when it was measured or said; of several the last
    readings  one by one, where there are several hospitals
    """

    id: str
    at: Instant
    text: Bilingual
    readings: tuple[Reading, ...] = ()


def evidence(report: SituationReport) -> dict[str, Evidence]:
    """Return everything the sentences of a report may name, by id."""
    ledger = _Ledger(report)
    parts = (ledger.states, ledger.losses, ledger.nodes, ledger.forecasts, ledger.journal, ledger.declared)
    return {one.id: one for part in parts for one in part()}


class _Ledger:
    """The facts of one report as evidence, in both languages at once."""

    def __init__(self, report: SituationReport) -> None:
        self._report = report
        self._estate = report.estate

    def states(self) -> Iterator[Evidence]:
        """What was measured, all of it and by service and state."""
        report = self._report
        taken = list(report.states.values())
        if taken:
            last = max(one.at for one in taken)
            yield Evidence("states", last, self._say("states", count=len(taken), **self._times(taken)))
        else:
            yield Evidence("states", report.issued_at, self._say("states.none"))
        for unit in report.services():
            for state, places in report.by_state(unit).items():
                found = [report.states[unit.id, one] for one in places if (unit.id, one) in report.states]
                if not found:
                    names = _joined(self._estate.sites[one].name for one in places)
                    text = self._say("unmeasured", service=unit.name, hospitals=names)
                    yield Evidence(f"state:{unit.id}:{state}", report.issued_at, text)
                    continue
                text = self._say(
                    "state",
                    service=unit.name,
                    state=_word(f"state.{state}"),
                    count=len(found),
                    all=len(unit.hospitals),
                    hospitals=_joined(self._estate.sites[one.hospital].name for one in found),
                    **self._times(found),
                )
                readings = tuple(Reading(one.hospital, one.at, _saw(one.evidence)) for one in found)
                yield Evidence(f"state:{unit.id}:{state}", max(one.at for one in found), text, readings)

    def losses(self) -> Iterator[Evidence]:
        """What was seen to go, and what the model says about it."""
        report = self._report
        last = max((loss.at for loss in report.losses), default=report.issued_at)
        yield Evidence("losses", last, self._say("losses", count=len(report.losses)))
        for loss in report.losses:
            name, when = self._estate.units[loss.unit].name, self._clock(loss.at)
            if loss.back_at is None:
                text = self._say("loss", unit=name, when=when)
            else:
                text = self._say("back", unit=name, when=when, back=self._clock(loss.back_at))
            yield Evidence(f"loss:{loss.unit}", loss.back_at or loss.at, text)
        if report.explained is not None:
            units = _joined(self._estate.units[one].name for one in report.explained.fell)
            yield Evidence("estate", report.issued_at, self._say("estate", units=units))

    def nodes(self) -> Iterator[Evidence]:
        """The hospitals' own nodes."""
        answers = self._report.care.open
        text = self._say("nodes", open=sum(answers.values()), all=len(answers))
        yield Evidence("nodes", self._report.issued_at, text)
        yield Evidence("counts", self._report.issued_at, self._say("counts"))

    def forecasts(self) -> Iterator[Evidence]:
        """The forecast of this report and those before it."""
        now = self._report.forecast
        for one in (*self._report.earlier, *([] if now is None else [now])):
            key = "forecast.provisional" if one.provisional else "forecast"
            text = self._say(key, when=self._clock(one.issued_at), runs=one.runs)
            yield Evidence(f"forecast:{to_iso(one.issued_at)}", one.issued_at, text)

    def journal(self) -> Iterator[Evidence]:
        """The lines of the restart."""
        for place, line in enumerate(self._report.journal):
            if unit := self._estate.units.get(line.unit):
                _, french, english = KINDS.get(line.kind, ("", line.kind, line.kind))
                kind = Bilingual(french, english)
                text = self._say("journal", when=self._clock(line.at), unit=unit.name, kind=kind)
                yield Evidence(f"journal:{place}", line.at, text)

    def declared(self) -> Iterator[Evidence]:
        """The words of named persons."""
        for place, one in enumerate(self._report.declared):
            yield Evidence(f"declared:{place}", one.at, self._say("declared", by=one.by, when=self._clock(one.at)))

    def _say(self, key: str, **blanks: Bilingual | str | int) -> Bilingual:
        """Return a sentence in both languages; blanks that have two languages are filled in with the right one."""
        texts = [
            WORDS[lang][f"evidence.{key}"].format(
                **{
                    name: blank.in_language(lang) if isinstance(blank, Bilingual) else blank
                    for name, blank in blanks.items()
                }
            )
            for lang in LANGS
        ]
        return Bilingual(*texts)

    def _clock(self, at: Instant) -> Bilingual:
        report = self._report
        return Bilingual(*(clock_text(at, report.issued_at, self._estate.zone, lang, seconds=True) for lang in LANGS))

    def _times(self, taken: Iterable[Measured]) -> dict[str, Bilingual]:
        times = [one.at for one in taken]
        return {"first": self._clock(min(times)), "last": self._clock(max(times))}


def _word(key: str) -> Bilingual:
    return Bilingual(*(WORDS[lang][key] for lang in LANGS))


def _joined(names: Iterable[Bilingual]) -> Bilingual:
    known = list(names)
    more = " …" if len(known) > NAMED_MAX else ""
    return Bilingual(*(", ".join(name.in_language(lang) for name in known[:NAMED_MAX]) + more for lang in LANGS))


def _saw(what: Bilingual | str) -> Bilingual:
    return Bilingual(*(evidence_text(what, lang) for lang in LANGS))
