"""The published reports as an Atom feed, newest first. Source: RFC 4287."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element

from releve.clock import Instant, to_iso
from releve.estate import Bilingual
from releve.sitrep.edition import Edition
from releve.sitrep.text import render_text
from releve.sitrep.wording import LANGS, WORDS
from releve.sitrep.xml import add, document

#: The newest; a crisis of a week with a report every hour is 168.
ENTRIES_MAX = 50

_NAMESPACE = "http://www.w3.org/2005/Atom"


def atom(name: Bilingual, editions: Sequence[Edition], at: Instant, *, url: str = "") -> bytes:
    """Return the feed of what was published, worded for the public.

    editions  published ones, newest first
    at        when the feed is written, which counts while nothing is published
    url       of the public page, ending in "/"; "" leaves addresses relative
    """
    newest = editions[0].published if editions else None
    root = Element("feed", {"xmlns": _NAMESPACE, "xml:lang": "fr"})
    add(root, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, f'releve:atom:{name.fr}')}")
    add(root, "title", f"{WORDS['fr']['all']} — {name.fr}")
    add(root, "updated", to_iso(newest.at if newest else at))
    add(add(root, "author"), "name", name.fr)
    add(root, "generator", "Relève")
    add(root, "link", rel="self", href=f"{url}atom.xml", type="application/atom+xml")
    add(root, "link", rel="alternate", href=f"{url}index.fr.html", hreflang="fr", type="text/html")
    add(root, "link", rel="alternate", href=f"{url}index.en.html", hreflang="en", type="text/html")
    for edition in editions[:ENTRIES_MAX]:
        _entry(root, edition, url)
    return document(root)


def _entry(root: Element, edition: Edition, url: str) -> None:
    assert edition.published is not None, "only what was published is in the feed"
    sheet = edition.sheet
    entry = add(root, "entry")
    add(
        entry, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, f'releve:atom:{sheet.name.fr}:{sheet.number}:{sheet.issued_at}')}"
    )
    titles = [WORDS[lang]["title"].format(number=sheet.number) for lang in LANGS]
    mark = f"{WORDS['fr']['exercise']} " if sheet.is_exercise else ""
    add(entry, "title", mark + " / ".join(titles))
    add(entry, "published", to_iso(edition.published.at))
    add(entry, "updated", to_iso(edition.published.at))
    add(entry, "link", rel="alternate", href=f"{url}index.fr.html", hreflang="fr", type="text/html")
    add(entry, "summary", f"{sheet.headline.fr}\n{sheet.headline.en}")
    add(entry, "content", "\n\n".join(render_text(edition, lang, "public") for lang in LANGS), type="text")
