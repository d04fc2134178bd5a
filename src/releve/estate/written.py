"""An estate file as text: entries written the way a person would, for imports and past outages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "str | bool | int | float | Sequence[Value] | Mapping[str, Value]"

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_LINE_MAX = 120


def write_entry(section: str, fields: Mapping[str, Value | None], remarks: Iterable[str] = ()) -> str:
    """Return one [[section]] with its remarks above it; fields that are None or empty are left out."""
    lines = [write_remark(remark) for remark in remarks]
    lines.append(section if section.startswith("[") else f"[[{section}]]")
    lines += [f"{key} = {write_value(value)}" for key, value in fields.items() if value is not None and value != []]
    return "\n".join(lines) + "\n"


def write_value(value: Value) -> str:
    """Return a value as TOML on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(int(value)) if value == int(value) else repr(value)
        case str():
            return '"' + "".join(map(_escaped, value)) + '"'
        case Mapping():
            return "{" + ", ".join(f"{write_key(key)} = {write_value(one)}" for key, one in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(write_value, value)) + "]"


def write_key(key: str) -> str:
    """Return a key, in quotes where it must be."""
    is_bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if is_bare else write_value(key)


def write_remark(text: str) -> str:
    """Return a remark on as many lines as it takes, without anything that would end a comment."""
    words = "".join(" " if ord(letter) < 32 or ord(letter) == 127 else letter for letter in text).split()
    lines, line = [], "#"
    for word in words:
        if len(line) + 1 + len(word) > _LINE_MAX and line != "#":
            lines.append(line)
            line = "#  "
        line += f" {word}"
    return "\n".join([*lines, line])


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if ord(letter) < 32 or ord(letter) == 127:
        return f"\\u{ord(letter):04x}"
    return "\ufffd" if 0xD800 <= ord(letter) <= 0xDFFF else letter
