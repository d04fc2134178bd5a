"""The public status page: static files that any web server outside the estate can serve, or that open from a disk.

    index.html  index.fr.html  index.en.html     states as measured; words and forecasts of the last published report
    summary.json  atom.xml  cap.xml              the same for machines

States are measured and shown at once; a forecast or a sentence is shown only when a person has published it. The page
says when it was measured and by when it is written anew, so that an old copy is recognised by any watch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from releve.errors import StoreUnable
from releve.sitrep.atom import atom
from releve.sitrep.cap import cap
from releve.sitrep.edition import Edition
from releve.sitrep.folder import put
from releve.sitrep.html import PAGES
from releve.sitrep.paper import SIGNS, all_back_text, lay_out
from releve.sitrep.report import STATES, SituationReport
from releve.sitrep.sheet import Component, Row, Sheet, compose
from releve.sitrep.statuspage import summary
from releve.sitrep.wording import LANGS, WORDS, clock_text, date_text

PUBLIC_FILES = ("index.fr.html", "index.en.html", "index.html", "summary.json", "atom.xml", "cap.xml")

#: A reader's browser reads the file again after so long, where it is served.
RELOAD_S = 60


def write_public(
    folder: Path,
    now: SituationReport,
    editions: Sequence[Edition],
    *,
    renew_s: float = 60.0,
    url: str = "",
    sender: str = "releve",
) -> list[Path]:
    """Write the public page and its feeds, each file replaced as a whole; returns what was written.

    now       drafted from what is measured at this moment; its number and forecast are not shown
    editions  what was published, newest first (published ones of Register.editions)
    renew_s   how often the caller writes it
    url       where it is served, ending in "/"; "" leaves addresses relative
    raises    StoreUnable  the disk refused; files that were not replaced are the old ones, whole
    """
    known = [one for one in editions if one.published is not None]
    edition, sheet = Edition(compose(now)), compose(now)
    pages = {lang: _page(edition, known[0] if known else None, lang, renew_s).encode() for lang in LANGS}
    files = {
        "index.fr.html": pages["fr"],
        "index.en.html": pages["en"],
        "index.html": pages["fr"],
        "summary.json": summary(sheet, known, url=url),
        "atom.xml": atom(sheet.name, known, sheet.issued_at, url=url),
    }
    if known:
        before = known[1] if len(known) > 1 else None
        files["cap.xml"] = cap(known[0], before, sender=sender, web=f"{url}index.fr.html" if url else "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            put(folder / name, content)
            (folder / name).chmod(0o644)
    except OSError as error:
        raise StoreUnable(
            "sitrep.public-unwritten",
            f"The public page could not be written to {folder}: {error.strerror}. The page before stands there.",
        ) from error
    return [folder / name for name in files]


def _page(now: Edition, published: Edition | None, lang: str, renew_s: float) -> str:
    words, sheet = WORDS[lang], now.sheet
    until_at = sheet.issued_at + round(2 * renew_s * 1e6)
    spoken = lay_out(published, "public", lang) if published is not None else None
    announced = {one.id: one for one in published.sheet.components} if published is not None else {}
    paper = lay_out(now, "public", lang)
    returns = [
        _return(announced.get(one.id), sheet, lang) if one.worst in ("down", "returning") else ""
        for one in sheet.components
    ]
    told = {row.id: row for row in published.sheet.rows} if published is not None else {}
    hospital_returns = [_all_back(told.get(row.id), row, published, sheet, lang) for row in sheet.rows]
    return PAGES.get_template("public.html.j2").render(
        hospital_returns=hospital_returns,
        has_until=any(hospital_returns),
        paper=paper,
        spoken=spoken,
        returns=returns,
        words=words,
        signs=SIGNS,
        states=STATES,
        reload_s=RELOAD_S,
        measured=words["public.measured"].format(when=date_text(sheet.issued_at, sheet.zone, lang)),
        valid=words["public.valid"].format(when=clock_text(until_at, sheet.issued_at, sheet.zone, lang)),
    )


def _return(announced: Component | None, now: Sheet, lang: str) -> str:
    """Return what was announced about a service, and say so where that hour has passed without it."""
    if announced is None:
        return ""
    if announced.p90_at is not None and announced.p90_at < now.issued_at:
        when = clock_text(announced.p90_at, now.issued_at, now.zone, lang)
        return WORDS[lang]["public.past"].format(p90=when)
    return announced.until[lang]["public"]


def _all_back(announced: Row | None, measured: Row, published: Edition | None, now: Sheet, lang: str) -> str:
    """Return what was announced for a hospital that still lacks something; nothing once that hour has passed."""
    is_out = any(state in ("down", "returning") for state in measured.states.values())
    if announced is None or published is None or not is_out:
        return ""
    if announced.p90_at is not None and announced.p90_at < now.issued_at:
        return ""
    return all_back_text(published.sheet, announced, lang)
