"""How one sender writes: delimiters, character set and facility, as one value that caches can be keyed by.

Whatever is read of a message's text goes through here, so that a message with other delimiters costs other cache
entries and nothing else. It knows no field and no FHIR.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

from releve.wire.hl7v2 import Message
from releve.wire.hl7v2.escape import unescape
from releve.wire.hl7v2.message import NULL, Delimiters

#: Senders × delimiters × character sets that are remembered; a hospital has some dozens of senders.
GRAMMARS_MAX = 512
#: A code, a unit or a name is shorter; what is longer is read each time, so that no peer can fill our memory with it.
REMEMBERED_CHARACTERS_MAX = 400

_P = ParamSpec("_P")
_R = TypeVar("_R")


def remembered(
    entries_max: int,
) -> Callable[[Callable[Concatenate[str, _P], _R]], Callable[Concatenate[str, _P], _R]]:
    """Remember what was made of a text, for so many texts of a usual length; the function must be pure."""

    def wrap(function: Callable[Concatenate[str, _P], _R]) -> Callable[Concatenate[str, _P], _R]:
        cached: Callable[..., _R] = lru_cache(maxsize=entries_max)(function)

        @wraps(function)
        def ask(exact: str, /, *rest: _P.args, **named: _P.kwargs) -> _R:
            if len(exact) > REMEMBERED_CHARACTERS_MAX:
                return function(exact, *rest, **named)
            return cached(exact, *rest, **named)

        return ask

    return wrap


class Grammar:
    """Splits and reads the text of one sender's messages.

    facility  MSH-4.1, or MSH-3.1, or "unknown": the authority of numbers that name none
    """

    __slots__ = ("_charset", "_letters", "component", "escape", "facility", "repetition", "subcomponent")

    def __init__(self, delimiters: Delimiters, charset: str, facility: str) -> None:
        self.component = delimiters.component
        self.repetition = delimiters.repetition
        self.subcomponent = delimiters.subcomponent
        self.escape = delimiters.escape
        self.facility = facility
        self._letters = delimiters.letters
        self._charset = charset

    def repetitions(self, field: str) -> list[str]:
        """Return the exact text of each repetition that says something; none of an empty or null field."""
        if not field or field == NULL:
            return []
        if self.repetition and self.repetition in field:
            return [text for text in field.split(self.repetition) if text and text != NULL]
        return [field]

    def first(self, field: str) -> str:
        """Return the exact text of the first repetition that says something; "" when none does."""
        if not field or field == NULL:
            return ""
        if self.repetition and self.repetition in field:
            return next((text for text in field.split(self.repetition) if text and text != NULL), "")
        return field

    def components(self, text: str) -> list[str]:
        """Return the exact text of each component."""
        return text.split(self.component) if self.component else [text]

    def subcomponents(self, text: str) -> list[str]:
        """Return the exact text of each subcomponent."""
        return text.split(self.subcomponent) if self.subcomponent else [text]

    def text(self, exact: str) -> str:
        """Return exact text as it reads: escapes replaced, blanks around it gone, "" for a null."""
        if exact == NULL:
            return ""
        if self.escape and self.escape in exact:
            exact = unescape(exact, self.escape, self._letters, self._charset)
        return exact.strip()

    def part(self, parts: list[str], index: int) -> str:
        """Return the first subcomponent of a component, counted from 0, as it reads; "" when it is absent."""
        if index >= len(parts):
            return ""
        exact = parts[index]
        if self.subcomponent and self.subcomponent in exact:
            exact = exact.split(self.subcomponent, 1)[0]
        return self.text(exact) if exact else ""


def grammar_of(message: Message) -> Grammar:
    """Return how this message is written; the same object for the same sender."""
    return _grammar(message.delimiters, message.charset, message.sending_facility or _application(message) or "unknown")


@lru_cache(maxsize=GRAMMARS_MAX)
def _grammar(delimiters: Delimiters, charset: str, facility: str) -> Grammar:
    return Grammar(delimiters, charset, facility.strip())


def _application(message: Message) -> str:
    return message.segments[0].get(3)
