from io import StringIO

import pytest
from rich.console import Console

from releve.demo.hospitals import HOSPITALS
from releve.demo.sentences import PHASES, Lang
from releve.demo.view import View


def _picture(count: int, lang: Lang, width: int) -> str:
    console = Console(file=StringIO(), width=width, height=40, record=True, force_terminal=True)
    view = View(HOSPITALS[:count], lang, console, is_plain=False)
    view.phase("cut")
    view.rows["H01"].node = "killed"
    view.on_read("H01", 12.0, False)
    view.tell("cut", n=14, clean=6)
    console.print(view._draw())
    return console.export_text()


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("width", [80, 100, 130, 200])
@pytest.mark.parametrize("count", [1, 3, 38])
def test_the_picture_fits_every_terminal_and_shows_what_matters(count: int, lang: Lang, width: int) -> None:
    text = _picture(count, lang, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert PHASES["cut"][lang] in text
    assert "0/0" in text or count == 1
    assert "1/1" in text
    assert ("TUÉ" if lang == "fr" else "KILLED") in text


def test_without_a_terminal_every_sentence_is_a_line() -> None:
    out = StringIO()
    with View(HOSPITALS[:1], "en", Console(file=out, width=200), is_plain=True) as view:
        view.tell("own_back", hospital="H01", s=1.25)
    assert out.getvalue().endswith(" s  H01: the node is back after 1.2 s.\n")
