"""How one sender writes: delimiters, character set and facility, as one value that caches can be keyed by.

Whatever is read of a message's text goes through here, so that a message with other delimiters costs other cache
entries and nothing else. It knows no field and no FHIR.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

from releve.wire.hl7v2 import Message
from releve.wire.hl7v2.escape import unescape
from releve.wire.hl7v2.message import NULL, Delimiters

#: Senders × delimiters × character sets that are remembered; a hospital has some dozens of senders.
GRAMMARS_MAX = 512
#: A code, a unit or a name is shorter; what is longer is read each time, so that no peer can fill our memory with it.
REMEMBERED_CHARACTERS_MAX = 400

_Read = TypeVar("_Read", bound=Callable[..., Any])


def remembered(entries_max: int) -> Callable[[_Read], _Read]:
    """Remember what was made of a text, for so many texts of a usual length.

    The function must be pure, take the text first and all arguments by place.
    """

    def wrap(function: _Read) -> _Read:
        cached = lru_cache(maxsize=entries_max)(function)

        @wraps(function)
        def ask(exact: str, *rest: Any) -> Any:
            return cached(exact, *rest) if len(exact) <= REMEMBERED_CHARACTERS_MAX else function(exact, *rest)

        return cast(_Read, ask)

    return wrap


_ABSENT = ("",) * 16


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

    def texts(self, exact: str, count: int) -> list[str]:
        """Return the first subcomponent of each component as it reads, at least so many of them."""
        parts = exact.split(self.component) if self.component else [exact]
        escape, subcomponent = self.escape, self.subcomponent
        if (escape and escape in exact) or (subcomponent and subcomponent in exact) or '"' in exact:
            texts = [self.part(parts, index) for index in range(len(parts))]
        else:
            texts = [part.strip() for part in parts]
        if len(texts) < count:
            texts += _ABSENT[: count - len(texts)]
        return texts

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
