"""What is measured now and what was published, as JSON in the shape of Statuspage v2 `summary.json`.

Dashboards and bots that know that shape read it unchanged. It has no field for a forecast and no word for "not
measured"; both stand in the `releve` object of each component, and what was not measured is never called operational.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from releve.clock import to_iso
from releve.sitrep.edition import Edition
from releve.sitrep.sheet import Component, Sheet
from releve.sitrep.text import render_text
from releve.sitrep.wording import LANGS

_WORST = {"none": 0, "minor": 1, "major": 2, "critical": 3}
_INDICATORS = {
    "operational": "none",
    "degraded_performance": "minor",
    "partial_outage": "major",
    "major_outage": "critical",
}
_DESCRIPTIONS = {
    "none": "All services answer in every hospital",
    "minor": "Degraded or not measured",
    "major": "Partial outage",
    "critical": "Major outage",
}


def summary(now: Sheet, editions: Sequence[Edition], *, url: str = "") -> bytes:
    """Return the summary.

    now       what is measured at this moment
    editions  published ones, newest first; the forecast is that of the newest, never one nobody approved
    """
    components = [_component(place, one, now, editions) for place, one in enumerate(now.components, 1)]
    indicator = max((_INDICATORS[one["status"]] for one in components), key=_WORST.__getitem__, default="none")
    newest = editions[0].sheet if editions else None
    value = {
        "page": {
            "id": "releve",
            "name": now.name.fr,
            "url": url,
            "time_zone": now.zone,
            "updated_at": to_iso(now.issued_at),
        },
        "status": {"indicator": indicator, "description": _DESCRIPTIONS[indicator]},
        "components": components,
        "incidents": _incidents(editions, indicator),
        "scheduled_maintenances": [],
        "releve": {
            "exercise": now.is_exercise,
            "measured_at": to_iso(now.issued_at),
            "next_report_at": to_iso(newest.next_at) if newest else None,
            "report": newest.number if newest else None,
            "name": {"fr": now.name.fr, "en": now.name.en},
        },
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def status_of(component: Component) -> str:
    """Return a component's status in the words of Statuspage: by how many hospitals lack it."""
    out = sum(component.states.get(state, 0) for state in ("down", "returning"))
    if out and out == component.hospitals:
        return "major_outage"
    if out:
        return "partial_outage"
    return "operational" if component.worst == "normal" else "degraded_performance"


def _component(place: int, one: Component, now: Sheet, editions: Sequence[Edition]) -> dict[str, Any]:
    announced = (
        next((known for known in editions[0].sheet.components if known.id == one.id), None) if editions else None
    )
    return {
        "id": one.id,
        "name": one.name.fr,
        "status": status_of(one),
        "created_at": to_iso(now.issued_at),
        "updated_at": to_iso(now.issued_at),
        "position": place,
        "description": None,
        "showcase": True,
        "group_id": None,
        "group": False,
        "page_id": "releve",
        "only_show_if_degraded": False,
        "releve": {
            "name": {"fr": one.name.fr, "en": one.name.en},
            "state": one.worst,
            "hospitals": {str(state): count for state, count in one.states.items()},
            "since": to_iso(one.since) if one.since is not None else None,
            "forecast": _forecast(announced, editions[0].sheet, now) if announced and one.worst != "normal" else None,
        },
    }


def _forecast(announced: Component, sheet: Sheet, now: Sheet) -> dict[str, Any] | None:
    """Return the published range of a component: as times, or as seconds from the return of power.

    held  false where the P90 passed without the service; else null
    """
    if announced.p90_s is None:
        return None
    if announced.p50_at is None or announced.p90_at is None:
        after = [{"fr": one.fr, "en": one.en} for one in sheet.after]
        return {"p50_s": announced.p50_s, "p90_s": announced.p90_s, "after": after, "report": sheet.number}
    is_past = announced.p90_at < now.issued_at
    return {
        "p50": to_iso(announced.p50_at),
        "p90": to_iso(announced.p90_at),
        "held": False if is_past else None,
        "report": sheet.number,
    }


def _incidents(editions: Sequence[Edition], indicator: str) -> list[dict[str, Any]]:
    """Return what is going on as one incident, each report an update of it; none when the newest says all is back."""
    run: list[Edition] = []
    for edition in editions:
        if edition.sheet.phase == "back":
            break
        run.append(edition)
    if not run:
        return []
    first, newest = run[-1], run[0]
    status = {"unmeasured": "investigating", "cut": "identified", "restart": "monitoring"}[newest.sheet.phase]
    id_ = f"incident-{first.sheet.number:04}"
    return [
        {
            "id": id_,
            "name": newest.sheet.headline.fr,
            "status": status,
            "impact": indicator,
            "created_at": _published(first),
            "started_at": _published(first),
            "updated_at": _published(newest),
            "monitoring_at": None,
            "resolved_at": None,
            "shortlink": "",
            "page_id": "releve",
            "incident_updates": [
                {
                    "id": f"report-{one.sheet.number:04}",
                    "incident_id": id_,
                    "status": {"unmeasured": "investigating", "cut": "identified", "restart": "monitoring"}[
                        one.sheet.phase
                    ],
                    "body": "\n\n".join(render_text(one, lang, "public") for lang in LANGS),
                    "created_at": _published(one),
                    "updated_at": _published(one),
                    "display_at": _published(one),
                    "affected_components": [],
                }
                for one in run
            ],
        }
    ]


def _published(edition: Edition) -> str:
    assert edition.published is not None, "only what was published is told"
    return to_iso(edition.published.at)
