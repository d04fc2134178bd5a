"""The texts of one language: English sentences stand in templates and code, a TOML file per language says them.

    "Allergies" = "Allergies"
    "{n} new result" = ["{n} nouveau résultat", "{n} nouveaux résultats"]

English is the source and needs no file. `FoldingEnvironment` puts the texts into a template when it is compiled, so a
page pays nothing for its language: a call of gettext costs some microseconds and a chart has a hundred of them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_HOLE = re.compile(r"\{(\w+)\}")


class Catalogue:
    """The texts of one language.

    language  "fr", "en"
    texts     source sentence → text, or [one, many] for a counted one
    """

    def __init__(self, language: str, texts: dict[str, str | list[str]]) -> None:
        self.language = language
        self._texts = texts

    def text(self, source: str, **values: object) -> str:
        """Return a sentence in this language, its {holes} filled."""
        found = self._texts.get(source, source)
        assert isinstance(found, str), f"{source!r} is a counted text; count it"
        return found.format(**values) if values else found

    def word(self, source: str) -> str:
        """Return the word for a code that is chosen at run time; what the catalogue does not know stays as it came."""
        found = self._texts.get(source, source)
        return found if isinstance(found, str) else source

    def counted(self, one: str, many: str, n: int) -> str:
        """Return the form of a counted sentence, {n} filled. French counts 0 as one, English does not."""
        forms = self._texts.get(one, [one, many])
        assert isinstance(forms, list), f"{one!r} is not a counted text"
        is_one = n in (0, 1) if self.language == "fr" else n == 1
        return forms[0 if is_one else 1].format(n=n)

    def sources(self) -> set[str]:
        """Return every source sentence that this language says."""
        return set(self._texts)


def read_catalogue(language: str, *folders: Path) -> Catalogue:
    """Return the texts of a language out of folders/<language>.toml; a folder without the file adds none."""
    texts: dict[str, str | list[str]] = {}
    for folder in folders:
        path = folder / f"{language}.toml"
        if path.exists():
            texts |= tomllib.loads(path.read_text("utf-8"))
    return Catalogue(language, texts)


class FoldingEnvironment(jinja2.Environment):
    """A Jinja2 environment of one language: `_("…")` is gone by the time a template runs.

    _("text")                  becomes the text
    _("text {x}", x=value)     becomes "texte {x}".format(x=value), escaped like any value
    _n("{n} a", "{n} as", n)   stays a call
    """

    def __init__(self, catalogue: Catalogue, loader: jinja2.BaseLoader, **options: Any) -> None:
        super().__init__(
            loader=loader,
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            **options,
        )
        self.catalogue = catalogue
        self.globals["_n"] = catalogue.counted
        self.filters["said"] = catalogue.word

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Folder(self.catalogue).visit(super()._parse(source, name, filename))
        return tree


class _Folder(NodeTransformer):
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # the visitor's own spelling
        self.generic_visit(node)  # changes the node in place
        if not (isinstance(node.node, nodes.Name) and node.node.name == "_"):
            return node
        assert len(node.args) == 1, f"line {node.lineno}: _() takes one sentence"
        sentence = node.args[0]
        assert isinstance(sentence, nodes.Const), f"line {node.lineno}: _() takes a sentence, not a value"
        text = nodes.Const(self._catalogue.text(sentence.value), lineno=node.lineno)
        if not node.kwargs:
            return text
        return nodes.Call(
            nodes.Getattr(text, "format", "load", lineno=node.lineno), [], node.kwargs, None, None, lineno=node.lineno
        )


def holes(text: str) -> set[str]:
    """Return the names of the holes of a text."""
    return set(_HOLE.findall(text))
