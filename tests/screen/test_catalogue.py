"""Texts: every sentence of templates and code is said in French, and the catalogue says nothing that nobody uses."""

import ast
import re
import tomllib
from pathlib import Path
from typing import get_args

import jinja2
import pytest
from jinja2 import nodes

from releve.recovery.journal import Kind
from releve.screen.catalogue import Catalogue, FoldingEnvironment, holes, read_catalogue
from releve.sitrep import AUDIENCES
from releve.sitrep.edition import Status

SOURCE = Path(__file__).resolve().parents[2] / "src" / "releve"
ROOMS = ("screen", "ward", "board")


def template_sources(text: str) -> set[str]:
    """Return the sentences that a template says by _() and _n()."""
    tree = jinja2.Environment(autoescape=True).parse(text)
    return {
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "_n")
        if isinstance(call.args[0], nodes.Const)
    }


def strings_of(path: Path) -> set[str]:
    """Return every string of a Python file, adjacent ones joined."""
    tree = ast.parse(path.read_text())
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def french(room: str) -> dict[str, str | list[str]]:
    return tomllib.loads((SOURCE / room / "texts" / "fr.toml").read_text())


def said_by(room: str) -> set[str]:
    return {
        sentence
        for path in (SOURCE / room / "templates").glob("*.html")
        for sentence in template_sources(path.read_text())
    }


@pytest.mark.parametrize("room", ROOMS)
def test_every_sentence_of_a_template_is_said_in_french(room: str) -> None:
    known = set(french(room)) | set(french("screen"))
    assert sorted(said_by(room) - known) == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_sentence_of_the_code_is_said_in_french(room: str) -> None:
    """Sentences in code reach a page by message(), problem, or a table of words."""
    known = set(french(room)) | set(french("screen"))
    spoken: set[str] = set()
    for path in (SOURCE / room).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                names = {target.id for target in node.targets if isinstance(target, ast.Name)}
                if names & {"problem", "sentence"}:
                    spoken.add(node.value.value)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("message", "self._message"):
                constants = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                spoken |= {text for text in constants if isinstance(text, str) and " " in text}
            if isinstance(node, ast.Dict) and len(node.values) > 3:
                words = [value.value for value in node.values if isinstance(value, ast.Constant)]
                spoken |= {word for word in words if isinstance(word, str) and re.fullmatch(r"[a-zA-Z ,-]{3,}", word)}
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Flag":
                spoken |= {arg.value for arg in node.args[2:3] if isinstance(arg, ast.Constant)}
    spoken -= {"", "nosniff", "same-origin", "no-store", "ok"}
    assert sorted(text for text in spoken if text not in known) == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_catalogue_says_nothing_that_nobody_uses(room: str) -> None:
    used = said_by(room)
    for path in (SOURCE / room).glob("*.py"):
        used |= strings_of(path)
    for path in (SOURCE / room / "templates").glob("*.html"):
        used |= set(re.findall(r'"([^"]+)"', path.read_text()))
    if room == "board":
        used |= {"hl7v2", "note", "admission", "merge", "unmerge"}  # kinds of events, named by the log
        used |= set(get_args(Kind))  # and of the journal of a restart
        used |= {*get_args(Status), *AUDIENCES}  # how a situation report stands, and who reads it
    assert sorted(set(french(room)) - used) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_translation_keeps_the_holes_of_its_sentence(room: str) -> None:
    for source, text in french(room).items():
        for form in text if isinstance(text, list) else [text]:
            assert holes(form) == holes(source), source


def environment(language: str, **texts: str | list[str]) -> FoldingEnvironment:
    catalogue = Catalogue(language, dict(texts))
    return FoldingEnvironment(catalogue, jinja2.DictLoader({}))


def test_a_sentence_is_folded_into_the_template() -> None:
    page = environment("fr", Hello="Bonjour").from_string('{{ _("Hello") }}')
    assert page.render() == "Bonjour"
    generated = environment("fr", Hello="Bonjour").compile('{{ _("Hello") }}', raw=True)
    assert "Bonjour" in generated
    assert "gettext" not in generated


def test_a_hole_is_filled_and_escaped() -> None:
    page = environment("fr", **{"for {who}": "pour {who}"}).from_string('{{ _("for {who}", who=name) }}')
    assert page.render(name="<b>") == "pour &lt;b&gt;"


def test_nothing_is_one_in_french_and_many_in_english() -> None:
    texts: dict[str, str | list[str]] = {"{n} bed": ["{n} lit", "{n} lits"]}
    assert [Catalogue("fr", texts).counted("{n} bed", "{n} beds", n) for n in (0, 1, 2)] == ["0 lit", "1 lit", "2 lits"]
    assert [Catalogue("en", {}).counted("{n} bed", "{n} beds", n) for n in (0, 1, 2)] == ["0 beds", "1 bed", "2 beds"]


def test_a_sentence_that_is_a_value_is_a_mistake_found_at_once() -> None:
    with pytest.raises(AssertionError, match="takes a sentence, not a value"):
        environment("fr").from_string("{{ _(name) }}")


def test_a_word_that_comes_from_outside_is_never_a_fault() -> None:
    page = environment("fr", **{"{n} bed": ["a", "b"]}).from_string("{{ word | said }}")
    assert page.render(word="{n} bed") == "{n} bed"
    assert page.render(word="<i>") == "&lt;i&gt;"


def test_english_needs_no_file(tmp_path: Path) -> None:
    assert read_catalogue("en", tmp_path).text("Allergies") == "Allergies"
