"""Findings as text for a terminal, and as JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from releve.estate.findings import SEVERITIES, Finding
from releve.estate.model import Estate

#: So many findings of one severity are printed; the JSON has all of them.
SHOWN_MAX = 25

_HEADS = {
    "fr": {"grave": "✗ GRAVE", "risk": "! RISQUE", "gap": "· MANQUE"},
    "en": {"grave": "✗ GRAVE", "risk": "! RISK", "gap": "· GAP"},
}


def findings_text(estate: Estate, found: Sequence[Finding], lang: str) -> str:
    """Return what was found, the grave first, ending with the counts."""
    is_french = lang == "fr"
    lines = [f"{estate.name.in_language(lang)} — {len(estate.units)} {'éléments' if is_french else 'units'}"]
    for severity in SEVERITIES:
        of_severity = [one for one in found if one.severity == severity]
        if of_severity:
            lines += ["", f"{_HEADS[lang][severity]} ({len(of_severity)})"]
            lines += [f"  {_place(estate, one)}{one.in_language(lang)}" for one in of_severity[:SHOWN_MAX]]
        if len(of_severity) > SHOWN_MAX:
            more = len(of_severity) - SHOWN_MAX
            lines.append(f"  … et {more} de plus (--json)" if is_french else f"  … and {more} more (--json)")
    counts = {severity: sum(one.severity == severity for one in found) for severity in SEVERITIES}
    lines.append("")
    if is_french:
        lines.append(f"{counts['grave']} grave(s), {counts['risk']} risque(s), {counts['gap']} manque(s).")
    else:
        lines.append(f"{counts['grave']} grave, {counts['risk']} risks, {counts['gap']} gaps.")
    return "\n".join(lines)


def findings_json(estate: Estate, found: Sequence[Finding]) -> dict[str, Any]:
    """Return everything found as JSON values; kind is stable."""
    return {
        "estate": {"fr": estate.name.fr, "en": estate.name.en},
        "units": len(estate.units),
        "grave": sum(one.severity == "grave" for one in found),
        "findings": [
            {
                "kind": one.kind,
                "severity": one.severity,
                "units": list(one.units),
                "fr": one.fr,
                "en": one.en,
                "file": estate.units[one.units[0]].file if one.units else None,
                "line": estate.units[one.units[0]].line if one.units else None,
            }
            for one in found
        ],
    }


def _place(estate: Estate, finding: Finding) -> str:
    """Return where to look in the file, for what concerns few units."""
    if not finding.units or finding.severity == "gap":
        return ""
    unit = estate.units[finding.units[0]]
    file = f"{unit.file}:" if len(estate.files) > 1 else ""
    return f"[{file}{unit.line}] "
