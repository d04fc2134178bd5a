"""The two forms: text that fits on paper, and a page that needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from releve.estate import Bilingual
from releve.sitrep import Declared, SituationReport, edition_of, render_html, render_text, sections

Moments = dict[str, SituationReport]
SHAPES = ("unmeasured", "cut", "restart", "back")


class Words(HTMLParser):
    """Collects the text of a page, and refuses tags that are not closed."""

    VOID = frozenset(("meta", "br", "link"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("moment", SHAPES)
def test_both_forms_say_the_same_sentences(moment: str, lang: str, moments: Moments) -> None:
    report = moments[moment]
    reader = Words()
    reader.feed(render_html(edition_of(report), lang))
    assert reader.open == []
    page = " ".join("".join(reader.text).split())
    text = " ".join(render_text(edition_of(report), lang).split())
    for section in sections(report, lang):
        for line in section.lines:
            sentence = " ".join(line.text.split())
            assert sentence in page
            assert sentence in text


@pytest.mark.parametrize("moment", SHAPES)
def test_a_page_fetches_nothing(moment: str, moments: Moments) -> None:
    page = render_html(edition_of(moments[moment]), "fr", other="x.en.html", index="index.html")
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", page)
    assert '<html lang="fr">' in page


def test_a_state_is_told_by_its_word_and_not_by_colour_alone(moments: Moments) -> None:
    page = render_html(edition_of(moments["restart"]), "en")
    assert page.count('aria-label="down"') == 2
    assert page.count('aria-label="working"') == 2


def test_what_people_declare_cannot_become_markup(moments: Moments) -> None:
    words = Bilingual("<script>x</script>", "<script>x</script>")
    report = replace(moments["cut"], declared=(Declared("staff", words, "<b>", 0),))
    assert "<script>" not in render_html(edition_of(report), "en")


def test_an_exercise_says_so_first(moments: Moments) -> None:
    report = replace(moments["cut"], is_exercise=True)
    assert render_text(edition_of(report), "en").startswith("EXERCISE")
    assert "EXERCICE" in render_html(edition_of(report), "fr")


def test_text_fits_on_paper(moments: Moments) -> None:
    for report in moments.values():
        for lang in ("fr", "en"):
            assert max(len(line) for line in render_text(edition_of(report), lang).splitlines()) <= 96


def test_a_hospital_reads_its_own_line(moments: Moments) -> None:
    text = render_text(edition_of(moments["restart"]), "en")
    assert "Hôpital du Nord — down: Patient record; working: Internal mail." in text


def test_each_hospital_reads_until_when_it_lacks_something(moments: Moments) -> None:
    text = render_text(edition_of(moments["restart"]), "en")
    found = re.search(r"Hôpital du Nord — .*All back before \(P90\): (\d\d:\d\d)\.", " ".join(text.split()))
    assert found is not None
    assert found[1] > "14:18"
    assert found[1] in render_html(edition_of(moments["restart"]), "en", "public")
    assert "after the return of power" in " ".join(render_text(edition_of(moments["cut"]), "en").split())
    assert "All back before" not in render_text(edition_of(moments["back"]), "en")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_of_words_has_contrast_enough_on_white(moments: Moments) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1; the same pairs reversed are the signs and the headers."""
    found = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", render_html(edition_of(moments["cut"]), "en")))
    assert {"ink", "soft", "normal", "degraded", "down", "returning", "unknown"} <= found.keys()
    for name, colour in found.items():
        if name not in ("line", "paper", "ground"):
            assert 1.05 / (_luminance(colour) + 0.05) >= 4.5, name
