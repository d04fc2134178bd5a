"""TOML files that people write: values with the line they stand on, so that a refusal can name it.

The standard library reads TOML but forgets lines; a table here finds the line of a key again in the text.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from pathlib import Path
from typing import Any, NoReturn

from releve.errors import WrongUse

_HEADER = re.compile(r"\s*\[+\s*([^\]#]+?)\s*\]")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


class _Text:
    """The lines of a file and where its headers and keys stand, looked through once for the whole file."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self._headers: dict[str, list[int]] = {}
        self._keys: dict[str, list[int]] = {}
        for number, line in enumerate(self.lines, 1):
            if header := _HEADER.match(line):
                self._headers.setdefault(header[1], []).append(number)
            elif key := _KEY.match(line):
                self._keys.setdefault(key[1], []).append(number)

    def find(self, dotted: str, name: str, nth: int | None, after: int) -> int:
        """Return the line after `after` of the nth header [[dotted]], else of the key `name`; `after` if none.

        The headers of an array count before a key of the same name, which any other table may have.
        """
        headers, keys = self._headers.get(dotted, []), self._keys.get(name, [])
        for numbers in (headers, keys) if nth is not None else (sorted((*headers, *keys)),):
            place = bisect_right(numbers, after) + (nth or 0)
            if place < len(numbers):
                return numbers[place]
        return after


class Table:
    """One table of a TOML file, which knows the file, its place in it, and refuses by line.

    path    of the file, for the sentences
    place   dotted name of the table: "" is the whole file, "mllp", "service[2]" the third [[service]]
    """

    def __init__(self, path: Path, text: _Text, values: dict[str, Any], place: str = "") -> None:
        self.path = path
        self.place = place
        self._text = text
        self._values = values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> list[str]:
        """Return the keys of this table in the order of the file."""
        return list(self._values)

    def holds_table(self, key: str) -> bool:
        """Return whether the key is there and is a table, for keys that may be a text or a table."""
        return isinstance(self._values.get(key), dict)

    def only(self, *known: str) -> None:
        """Refuse every key that is not known, naming its line and what is known."""
        for key in self._values:
            if key not in known:
                self.refuse(key, f"is unknown here; known are: {', '.join(known)}")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; refuse anything else, and an absent one unless there is a default."""
        value: str = self._take(key, str, "a text in quotes", default)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number, whole or not."""
        value = self._take(key, (int, float), "a number", default)
        return float(value)

    def count(self, key: str, default: int | None = None) -> int:
        """Return a whole number."""
        value: int = self._take(key, int, "a whole number", default)
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value: bool = self._take(key, bool, "true or false", default)
        return value

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """Return a list of texts."""
        value: list[Any] = self._take(key, list, "a list of texts", default)
        if any(not isinstance(item, str) for item in value):
            self.refuse(key, f"must be a list of texts; found {value!r}")
        return value

    def table(self, key: str) -> Table:
        """Return a table in this one; an absent one is empty."""
        value = self._take(key, dict, f"a table [{key}]", {})
        return Table(self.path, self._text, value, f"{self.place}.{key}" if self.place else key)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of an array [[key]], in order; an absent one is empty."""
        value = self._take(key, list, f"tables [[{key}]]", [])
        if any(not isinstance(item, dict) for item in value):
            self.refuse(key, f"must be tables [[{key}]]; found {value!r}")
        name = f"{self.place}.{key}" if self.place else key
        return [Table(self.path, self._text, item, f"{name}[{index}]") for index, item in enumerate(value)]

    def line(self, key: str | None = None) -> int:
        """Return the line, counted from 1, of this table's header or of a key in it."""
        lines = self._text.lines
        start = self._header_line()
        is_inline = start > 0 and not lines[start - 1].lstrip().startswith("[")
        if key is None or is_inline:
            return max(start, 1)
        wanted = re.compile(rf"""\s*(\[+\s*)?("|')?{re.escape(key)}("|')?\s*(=|\]|\.)""")
        for number, line in enumerate(lines[start:], start + 1):
            if wanted.match(line) or (start and f"{key} =" in line and "{" in line):
                return number
        return max(start, 1)

    def refuse(self, key: str | None, sentence: str) -> NoReturn:
        """Refuse the file: say which line and key, and the rest of the sentence."""
        where = f"[{self.place}] " if self.place else ""
        name = f"{where}{key}" if key else f"{where}".strip()
        raise WrongUse("config.refused", f"{self.path}, line {self.line(key)}: {name} {sentence}.")

    def _take(self, key: str, kind: type | tuple[type, ...], expected: str, default: Any) -> Any:
        if key not in self._values:
            if default is None:
                self.refuse(None, f"has no {key!r}; expected {expected}")
            return default
        value = self._values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.refuse(key, f"must be {expected}; found {value!r}")
        return value

    def _header_line(self) -> int:
        """Return the number of the line of this table's own header, 0 for the whole file.

        Goes down the place part by part, so that {p50_s = …} in the third [[service]] is found there.
        """
        start, dotted = 0, ""
        for part in self.place.split(".") if self.place else ():
            name, _, index = part.removesuffix("]").partition("[")
            dotted = f"{dotted}.{name}" if dotted else name
            start = self._text.find(dotted, name, int(index) if index else None, start)
        return start


def read_toml(path: Path) -> Table:
    """Return the whole file as a table.

    raises  WrongUse  the file is not there, not readable or not TOML; the sentence names the line
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise WrongUse("config.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise WrongUse("config.not-utf8", f"{path} is not UTF-8 text (byte {error.start}).") from error
    try:
        return Table(path, _Text(text), tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise WrongUse("config.not-toml", f"{path} is not TOML: {error}.") from error
