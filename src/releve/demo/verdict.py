"""The verdict of the night as values, as JSON for machines and as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from releve.recovery.score import Score

#: The verdict names so many of each kind of loss; more would only say the same.
NAMED_MAX = 10
#: With many hospitals each one's facts are read at so many other nodes.
SAMPLED_NODES = 3


class Reads(msgspec.Struct):
    """What a hospital's staff tried to read while the centre was away. Times are what the reader waited, in ms.

    tried, failed            at the hospital's own node while it was meant to be there
    during_own_stop          tried while its own node was deliberately dead, and how many of those failed there
    elsewhere                of the failed ones, how many a neighbour's node answered
    """

    tried: int = 0
    failed: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    during_own_stop: int = 0
    failed_during_own_stop: int = 0
    elsewhere: int = 0
    own_stop_s: float = 0.0


class HospitalVerdict(msgspec.Struct):
    """What became of everything that this hospital's node acknowledged.

    sent, acknowledged   by its feeds, by the centre's systems, and captures on its pages
    at_own               acknowledged messages whose bytes lie in its own log
    elsewhere            of those that every hospital may hold: copies expected at the other nodes, and found
    at_hubs              hub → (expected, found)
    facts                read back by FHIR: expected, found as they were sent
    lost                 sentences; acknowledged and not where it must be
    wrong                sentences; there, and says something else than what was sent
    duplicated           sentences; the same fact twice
    owed                 to the record application: accepted there, refused (a person decides), or missing
    """

    id: str
    name: str
    sent: int = 0
    acknowledged: int = 0
    captures: int = 0
    at_own: int = 0
    elsewhere_expected: int = 0
    elsewhere_found: int = 0
    at_hubs: dict[str, tuple[int, int]] = {}
    facts_expected: int = 0
    facts_found: int = 0
    lost: list[str] = []
    wrong: list[str] = []
    duplicated: list[str] = []
    owed: int = 0
    accepted: int = 0
    refused: int = 0
    refusals: list[str] = []
    missing_at_centre: list[str] = []
    reads: Reads = msgspec.field(default_factory=Reads)

    @property
    def is_good(self) -> bool:
        """True when nothing is lost, wrong or doubled, everything owed was answered, and every read was served."""
        faults = self.lost or self.wrong or self.duplicated or self.missing_at_centre or self.reads.failed
        return not faults and self.at_own == self.acknowledged


class Restart(msgspec.Struct):
    """How the centre came back: the order, how long it took, and the least it could have taken."""

    order: list[str]
    failed: list[str]
    makespan_s: float
    lower_bound_s: float
    bottleneck: str | None = None


class Stops(msgspec.Struct):
    """How the centre went down, and whose integrity was checked before anything stood on it again."""

    clean: list[str] = []
    unclean: list[str] = []
    checked: list[str] = []


class Times(msgspec.Struct):
    """Moments of the night in microseconds since 1970; 0: it did not come to that.

    mains_failed_at  the script took the mains away
    declared_at      the first node said that a service was down
    report_at        the first situation report was published
    """

    mains_failed_at: int = 0
    declared_at: int = 0
    report_at: int = 0


class Forecasts(msgspec.Struct):
    """The record of the forecasts of the night. Shares and errors are None when nothing was promised.

    p90_held      share of promises that came by their P90
    p50_error_s   middle of how far off P50 was; p50_error_share: of what really remained
    slips         times that a published P90 was moved later
    """

    published: int = 0
    promises: int = 0
    p90_held: float | None = None
    essential_p90_held: float | None = None
    last_p90_held: float | None = None
    p50_error_s: float | None = None
    p50_error_share: float | None = None
    slips: int = 0


def forecasts_of(found: Score) -> Forecasts:
    """Return the record for the verdict."""
    return Forecasts(
        published=found.forecasts,
        promises=found.everything.settled,
        p90_held=found.everything.coverage,
        essential_p90_held=found.essential.coverage,
        last_p90_held=found.last.coverage,
        p50_error_s=found.everything.p50_error_s,
        p50_error_share=found.everything.p50_error_share,
        slips=len(found.slips),
    )


class Verdict(msgspec.Struct):
    """Everything that the checker found.

    sampled_people  with many hospitals: of so many people each the facts were read at others by FHIR; 0 for all of them
    """

    seed: int
    hospitals: list[HospitalVerdict]
    restart: Restart | None
    reports: list[str]
    cut_s: float
    night_s: float
    sampled_people: int = 0
    folder: str = ""
    stops: Stops = msgspec.field(default_factory=Stops)
    times: Times = msgspec.field(default_factory=Times)
    forecasts: Forecasts = msgspec.field(default_factory=Forecasts)

    @property
    def is_good(self) -> bool:
        """True when every hospital's verdict is good and every service came back."""
        return all(hospital.is_good for hospital in self.hospitals) and not (self.restart and self.restart.failed)


def encode_verdict(verdict: Verdict) -> bytes:
    """Return the verdict as JSON, with the answer and the sums in front."""
    value = msgspec.to_builtins(verdict)
    sums = {
        name: sum(getattr(hospital, name) for hospital in verdict.hospitals)
        for name in ("sent", "acknowledged", "captures", "at_own", "elsewhere_expected", "elsewhere_found")
    } | {
        name: sum(len(getattr(hospital, name)) for hospital in verdict.hospitals)
        for name in ("lost", "wrong", "duplicated", "missing_at_centre")
    }
    reads = {
        "reads_tried": sum(hospital.reads.tried for hospital in verdict.hospitals),
        "reads_failed": sum(hospital.reads.failed for hospital in verdict.hospitals),
    }
    answer = {"good": verdict.is_good, "sums": sums | reads}
    return msgspec.json.format(msgspec.json.encode(answer | value), indent=2) + b"\n"


def columns(hospital: HospitalVerdict) -> list[str]:
    """Return a hospital's row: what people look for first stands first."""
    reads = hospital.reads
    return [
        hospital.id,
        f"{hospital.acknowledged}/{hospital.sent}",
        str(hospital.at_own),
        _share(hospital.elsewhere_found, hospital.elsewhere_expected),
        *(_share(found, expected) for _, (expected, found) in sorted(hospital.at_hubs.items())),
        _share(hospital.facts_found, hospital.facts_expected),
        str(len(hospital.lost)),
        str(len(hospital.duplicated)),
        str(len(hospital.wrong)),
        _share(hospital.accepted, hospital.owed),
        str(hospital.refused),
        _share(reads.tried - reads.failed, reads.tried),
        f"{reads.p50_ms:.0f}/{reads.p99_ms:.0f}",
    ]


def _share(found: int, expected: int) -> str:
    """Return a count alone when it is whole, otherwise beside what it should be."""
    return str(found) if found == expected else f"{found}/{expected}"


def headings(hospital: HospitalVerdict, lang: str) -> list[str]:
    """Return the names of the columns; each hub has one."""
    before, after = HEADINGS[lang]
    return [*before, *sorted(hospital.at_hubs), *after]


HEADINGS = {
    "en": (
        ("hospital", "acked/sent", "own node", "others"),
        ("read back", "lost", "doubled", "wrong", "written back", "refused", "reads", "p50/p99 ms"),
    ),
    "fr": (
        ("hôpital", "acquittés", "son nœud", "ailleurs"),
        ("relus", "perdus", "doublés", "faux", "rendus", "refusés", "lectures", "p50/p99 ms"),
    ),
}


def render_verdict(verdict: Verdict, lang: str) -> str:
    """Return the verdict as plain text: one table, then one line for each thing that people ask next."""
    french = lang == "fr"
    rows = [headings(verdict.hospitals[0], lang), *(columns(hospital) for hospital in verdict.hospitals)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    faults = _faults(verdict.hospitals, french)
    lines += ["", *_after(verdict, french), "", *faults, *([""] if faults else [])]
    good = (
        ("RIEN N’EST PERDU", "LE COMPTE N’Y EST PAS") if french else ("NOTHING WAS LOST", "THE ACCOUNT DOES NOT ADD UP")
    )
    return "\n".join([*lines, good[0] if verdict.is_good else good[1]])


def _after(verdict: Verdict, french: bool) -> list[str]:
    lines = []
    for hospital in verdict.hospitals:
        reads = hospital.reads
        if reads.own_stop_s:
            lines.append(
                f"{hospital.id} : son propre nœud tué, de retour en {reads.own_stop_s:.1f} s ; "
                f"{reads.failed_during_own_stop} lectures sur {reads.during_own_stop} sans réponse de lui, "
                f"{reads.elsewhere} servies par un voisin."
                if french
                else f"{hospital.id}: its own node was killed and back in {reads.own_stop_s:.1f} s; "
                f"{reads.failed_during_own_stop} of {reads.during_own_stop} reads had no answer from it, "
                f"{reads.elsewhere} were served by a neighbour."
            )
    if verdict.restart is not None:
        restart = verdict.restart
        order = " → ".join(restart.order)
        lines.append(
            f"Redémarrage : {restart.makespan_s:.1f} s (borne inférieure {restart.lower_bound_s:.1f} s) : {order}"
            if french
            else f"Restart: {restart.makespan_s:.1f} s (lower bound {restart.lower_bound_s:.1f} s): {order}"
        )
        lines += [f"{'Échec' if french else 'Failed'}: {name}" for name in restart.failed]
    lines += _recovered(verdict, french)
    report = "Point de situation : " if french else "Situation report: "
    lines += [report + path for path in verdict.reports if path.endswith(".fr.html" if french else ".en.html")]
    lines.append(
        f"Centre absent {verdict.cut_s:.0f} s ; nuit de {verdict.night_s:.0f} s, graine {verdict.seed}."
        if french
        else f"Centre away for {verdict.cut_s:.0f} s; night of {verdict.night_s:.0f} s, seed {verdict.seed}."
    )
    if verdict.sampled_people:
        people, nodes = verdict.sampled_people, SAMPLED_NODES
        lines.append(
            f"Journaux et relais comparés en entier ; par FHIR, {people} personnes par hôpital, {nodes} autres nœuds."
            if french
            else f"Logs and hubs compared in full; by FHIR, {people} people of each hospital at {nodes} other nodes."
        )
    return lines


def _recovered(verdict: Verdict, french: bool) -> list[str]:
    """Return how the centre was stopped, and how the forecasts did."""
    lines = []
    stops, record = verdict.stops, verdict.forecasts
    if stops.clean or stops.unclean:
        checked = ", ".join(stops.checked) or "–"
        lines.append(
            f"Sur batterie\u202f: {len(stops.clean)} arrêts propres ({', '.join(stops.clean) or '–'}), "
            f"{len(stops.unclean)} arrêts brutaux\u202f; intégrité vérifiée avant reprise\u202f: {checked}."
            if french
            else f"On battery: {len(stops.clean)} clean stops ({', '.join(stops.clean) or '–'}), "
            f"{len(stops.unclean)} unclean; integrity checked before going on: {checked}."
        )
    if record.published and record.p90_held is not None and record.p50_error_s is not None:
        lines.append(
            f"Prévisions publiées\u202f: {record.published}, P90 tenue {record.p90_held * 100:.0f}\u202f% "
            f"({record.promises} annonces), écart médian à P50 {record.p50_error_s:.1f} s."
            if french
            else f"Forecasts published: {record.published}, P90 held {record.p90_held * 100:.0f}% "
            f"({record.promises} promises), middle error of P50 {record.p50_error_s:.1f} s."
        )
    return lines


def _faults(hospitals: Sequence[HospitalVerdict], french: bool) -> list[str]:
    names = {
        "lost": "perdu" if french else "lost",
        "duplicated": "doublé" if french else "doubled",
        "wrong": "faux" if french else "wrong",
        "missing_at_centre": "manque au centre" if french else "missing at the centre",
        "refusals": "refusé par le centre" if french else "refused by the centre",
    }
    lines = []
    for hospital in hospitals:
        for kind, word in names.items():
            sentences: list[str] = getattr(hospital, kind)
            lines += [f"{hospital.id} {word}: {sentence}" for sentence in sentences[:NAMED_MAX]]
            if len(sentences) > NAMED_MAX:
                lines.append(f"{hospital.id} {word}: … {len(sentences) - NAMED_MAX}")
    return lines
