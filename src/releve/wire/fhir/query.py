"""A FHIR search as it was asked: the query string ⇄ criteria, and what of it was understood.

It knows the grammar (prefixes, modifiers, comma for OR, backslash escapes, chains of one step) and the table of
parameters. It refuses to know what exists and how it is found. An unknown parameter is left out and named in `ignored`;
a known one with a value or a modifier that cannot be honoured is refused, because a search that silently means
something else is worse in a hospital than none.
Source: FHIR R4 Search (hl7.org/fhir/R4/search.html).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import tzinfo
from urllib.parse import quote, unquote_to_bytes

import msgspec

from releve.wire.fhir.dates import Span, parse_span
from releve.wire.fhir.outcome import FhirRefusal, quoted
from releve.wire.fhir.parameters import PARAMETERS, Parameter, parameter_of

#: Longest query string or search form; a growth chart asks for a dozen codes, a careful client for some hundred ids.
QUERY_BYTES_MAX = 16_384
PARAMETERS_MAX = 64
#: Values of one parameter joined by commas.
VALUES_MAX = 500
COUNT_DEFAULT = 50
#: Matches on one page; a client that asks for more gets pages of this size.
COUNT_MAX = 1000
SORTS_MAX = 4
INCLUDES_MAX = 16

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNESCAPED_COMMA = re.compile(r"(?<!\\)(?:\\\\)*,")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)

_MODIFIERS = {
    "string": ("exact", "contains", "missing"),
    "token": ("not", "text", "missing"),
    "date": ("missing",),
    "reference": ("identifier", "missing"),
}
#: Known to the standard and harmless to leave undone, or done by the door before the search is read.
_WITHOUT_EFFECT = ("_format", "_pretty", "_totalMethod")


class Token(msgspec.Struct, frozen=True):
    """system|code; None where it was not said, "" where it was said that there is none."""

    system: str | None
    code: str | None


class Moment(msgspec.Struct, frozen=True):
    """A date with its prefix."""

    prefix: str
    span: Span


class Target(msgspec.Struct, frozen=True):
    """What a reference is sought to point at; type "" for any."""

    type: str
    id: str


Value = Token | Moment | Target | str | bool


class Criterion(msgspec.Struct, frozen=True):
    """One condition; its values are alternatives.

    modifier  "", "exact", "contains", "not", "text", "identifier" or "missing"
    chained   a condition on the resource that the reference points at, of type `onto`; values is empty then
    """

    parameter: Parameter
    modifier: str
    values: tuple[Value, ...]
    chained: Criterion | None = None
    onto: str = ""


class Sort(msgspec.Struct, frozen=True):
    parameter: Parameter
    is_descending: bool


class Include(msgspec.Struct, frozen=True):
    """Observation:patient:Patient; parameters is all of the type's references for a star."""

    source: str
    parameters: tuple[Parameter, ...]
    target: str


class Query(msgspec.Struct, frozen=True):
    """A search of one type.

    summary   "", "true", "text", "data", "count"
    cursor    where the page begins; "" for the first
    pairs     the parameters that were used, as they came, for the self and next links; cursor left out
    ignored   names of parameters that were not understood and had no effect
    """

    type: str
    criteria: tuple[Criterion, ...]
    sorts: tuple[Sort, ...] = ()
    count: int = COUNT_DEFAULT
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    summary: str = ""
    total: str = ""
    elements: tuple[str, ...] = ()
    cursor: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


def parse_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string or form, in order, empty values left out.

    raises  FhirRefusal  too long, too many, or no UTF-8 in percent encoding
    """
    if len(raw) > QUERY_BYTES_MAX:
        raise _invalid("fhir.query-too-long", f"The search is {len(raw)} bytes long; the limit is {QUERY_BYTES_MAX}.")
    if _BAD_PERCENT.search(raw):
        raise _invalid("fhir.percent", "The search holds a percent sign without two hexadecimal digits after it.")
    pairs = []
    for part in raw.split(b"&"):
        name, _, value = part.partition(b"=")
        if value:
            pairs.append((_decoded(name), _decoded(value)))
    if len(pairs) > PARAMETERS_MAX:
        raise _invalid(
            "fhir.too-many-parameters", f"The search has {len(pairs)} parameters; the limit is {PARAMETERS_MAX}."
        )
    return pairs


def _decoded(part: bytes) -> str:
    try:
        text = unquote_to_bytes(part.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise _invalid("fhir.not-utf8", "The search holds percent-encoded bytes that are not UTF-8.") from None
    if "\0" in text:
        raise _invalid("fhir.null", "The search holds a NUL character; no value of a record does.")
    return text


def encode_pairs(pairs: list[tuple[str, str]]) -> str:
    """Return pairs as a query string that parse_pairs reads back."""
    return "&".join(f"{quote(name, safe=':._-')}={quote(value, safe=':._-,|')}" for name, value in pairs)


def parse_query(resource_type: str, pairs: list[tuple[str, str]], zone: tzinfo, *, base_url: str = "") -> Query:
    """Return what a search asks for.

    zone      of dates without an offset
    base_url  references that begin with it are local

    raises  FhirRefusal  a value or a modifier cannot be honoured
    """
    reader = _Reader(resource_type, zone, base_url)
    for name, value in pairs:
        is_used = reader.control(name, value) if name.startswith("_") else reader.criterion(name, value)
        if not is_used:
            reader.ignored.append(name)
        elif name != "_cursor":
            reader.pairs.append((name, value))
    return reader.query()


class _Reader:
    """Gathers one search, parameter by parameter."""

    def __init__(self, resource_type: str, zone: tzinfo, base_url: str) -> None:
        self.type, self.zone, self.base_url = resource_type, zone, base_url
        self.criteria: list[Criterion] = []
        self.sorts: list[Sort] = []
        self.includes: list[Include] = []
        self.revincludes: list[Include] = []
        self.elements: list[str] = []
        self.count = COUNT_DEFAULT
        self.summary = self.total = self.cursor = ""
        self.pairs: list[tuple[str, str]] = []
        self.ignored: list[str] = []

    def query(self) -> Query:
        if self.elements and self.summary in ("true", "text", "data"):
            raise _invalid("fhir.elements-and-summary", "_elements and _summary cannot be asked for together.")
        return Query(
            self.type,
            tuple(self.criteria),
            tuple(self.sorts),
            self.count,
            tuple(self.includes),
            tuple(self.revincludes),
            self.summary,
            self.total,
            tuple(self.elements),
            self.cursor,
            tuple(self.pairs),
            tuple(dict.fromkeys(self.ignored)),
        )

    def control(self, name: str, value: str) -> bool:
        """Take a parameter that begins with an underscore; False when it is not known."""
        plain, _, modifier = name.partition(":")
        if plain in ("_id", "_lastUpdated"):
            return self.criterion(name, value)
        if plain in ("_include", "_revinclude"):
            return self._include(plain, modifier, value)
        if modifier:
            return False
        if name == "_count":
            self._count(value)
        elif name == "_sort":
            return self._sort(value)
        elif name == "_summary":
            self.summary = _one_of(name, value, ("true", "text", "data", "count", "false")).replace("false", "")
        elif name == "_total":
            self.total = _one_of(name, value, ("none", "estimate", "accurate"))
        elif name == "_elements":
            # Nested names are allowed by the standard and answered by the whole top-level element.
            self.elements += [part.strip().removeprefix(f"{self.type}.").split(".")[0] for part in value.split(",")]
        elif name == "_cursor":
            self.cursor = value
        else:
            return name in _WITHOUT_EFFECT
        return True

    def criterion(self, name: str, value: str) -> bool:
        """Take a search parameter; False when the type has none of this name."""
        head, dot, rest = name.partition(".")
        plain, _, modifier = head.partition(":")
        parameter = parameter_of(self.type, plain)
        if parameter is None:
            return False
        if dot:
            chained = self._chain(parameter, modifier, rest, value)
            if chained is None:
                return False
            self.criteria.append(chained)
            return True
        self.criteria.append(_criterion(parameter, modifier, value, self.zone, self.base_url))
        return True

    def _chain(self, parameter: Parameter, onto: str, rest: str, value: str) -> Criterion | None:
        """Read subject:Patient.identifier=…; the type may be left out where only one that is searched is possible."""
        if parameter.kind != "reference":
            raise _invalid("fhir.chain", f"{quoted(parameter.name)} is no reference, so nothing can be chained to it.")
        possible = [target for target in parameter.targets if target in PARAMETERS]
        if onto and onto not in possible:
            raise _invalid("fhir.chain", f"{quoted(parameter.name)} does not lead to {quoted(onto)}.")
        onto = onto or ("Patient" if "Patient" in possible else possible[0] if len(possible) == 1 else "")
        if not onto:
            return None
        plain, _, modifier = rest.partition(":")
        if "." in rest:
            raise _invalid("fhir.chain", f"A chain may have one step here; {quoted(rest)} has more.")
        inner = parameter_of(onto, plain)
        if inner is None:
            return None
        return Criterion(parameter, "", (), _criterion(inner, modifier, value, self.zone, self.base_url), onto)

    def _count(self, value: str) -> None:
        if not _NUMBER.fullmatch(value):
            raise _invalid("fhir.count", f"_count is a number from 0 to 999999999; {quoted(value)} came.")
        self.count = min(int(value), COUNT_MAX)

    def _sort(self, value: str) -> bool:
        names = value.split(",")
        if len(names) > SORTS_MAX:
            raise _invalid("fhir.sort", f"_sort names {len(names)} keys; the limit is {SORTS_MAX}.")
        found = [(name, parameter_of(self.type, name.removeprefix("-"))) for name in names]
        for name, parameter in found:
            if parameter is None:
                raise _invalid(
                    "fhir.sort",
                    f"{self.type} cannot be sorted by {quoted(name.removeprefix('-'))}; "
                    f"it can by {', '.join(PARAMETERS.get(self.type, ('_id', '_lastUpdated')))}.",
                )
            self.sorts.append(Sort(parameter, name.startswith("-")))
        return True

    def _include(self, name: str, modifier: str, value: str) -> bool:
        if modifier:
            raise _invalid("fhir.modifier", f"{name}:{modifier} is not done here; {name} alone is, one step deep.")
        source, _, rest = value.partition(":")
        wanted, _, target = rest.partition(":")
        if value == "*" and name == "_include":
            source, wanted = self.type, "*"
        known = PARAMETERS.get(source, {})
        chosen = tuple(
            parameter
            for parameter in known.values()
            if parameter.kind == "reference"
            and wanted in ("*", parameter.name)
            and (name == "_include" or self.type in parameter.targets)
        )
        if not chosen or (name == "_include" and source != self.type):
            return False
        goal = self.includes if name == "_include" else self.revincludes
        goal.append(Include(source, chosen, target))
        if len(goal) > INCLUDES_MAX:
            raise _invalid("fhir.includes", f"More than {INCLUDES_MAX} {name} came.")
        return True


def _criterion(parameter: Parameter, modifier: str, value: str, zone: tzinfo, base_url: str) -> Criterion:
    if parameter.kind == "reference" and modifier in parameter.targets:
        value = ",".join(part if "/" in part else f"{modifier}/{part}" for part in _split(value))
        modifier = ""
    if modifier and modifier not in _MODIFIERS[parameter.kind]:
        raise _invalid(
            "fhir.modifier",
            f"{quoted(parameter.name)} does not take the modifier {quoted(modifier)}; "
            f"it takes {', '.join(_MODIFIERS[parameter.kind])}.",
        )
    if modifier == "missing":
        return Criterion(parameter, modifier, (_one_of(parameter.name, value, ("true", "false")) == "true",))
    parts = [part for part in _split(value) if part.strip()]
    if not parts:
        raise _invalid("fhir.value", f"{quoted(parameter.name)} came without a value to look for.")
    if len(parts) > VALUES_MAX:
        raise _invalid("fhir.values", f"{quoted(parameter.name)} has {len(parts)} values; the limit is {VALUES_MAX}.")
    if parameter.kind == "date":
        return Criterion(parameter, modifier, tuple(_moment(parameter, part, zone) for part in parts))
    if parameter.kind == "reference" and not modifier:
        return Criterion(parameter, modifier, tuple(_target(parameter, part, base_url) for part in parts))
    if modifier == "identifier" or (parameter.kind == "token" and modifier != "text"):
        return Criterion(parameter, modifier, tuple(_token(part) for part in parts))
    texts = tuple(_unescaped(part) for part in parts)
    if modifier != "exact" and not all(map(folded, texts)):
        raise _invalid(
            "fhir.value", f"{quoted(parameter.name)} takes text with a letter or digit; {quoted(value)} came."
        )
    return Criterion(parameter, modifier, texts)


def _split(value: str) -> list[str]:
    """Split at commas that no backslash stands before."""
    if "\\" not in value:
        return value.split(",")
    parts, start = [], 0
    for found in _UNESCAPED_COMMA.finditer(value):
        parts.append(value[start : found.end() - 1])
        start = found.end()
    return [*parts, value[start:]]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def _token(text: str) -> Token:
    found = re.search(r"(?<!\\)(?:\\\\)*\|", text)
    if found is None:
        return Token(None, _unescaped(text))
    system, code = text[: found.end() - 1], text[found.end() :]
    return Token(_unescaped(system), _unescaped(code) or None)


def _moment(parameter: Parameter, text: str, zone: tzinfo) -> Moment:
    found = _PREFIX.fullmatch(text)
    assert found is not None
    # A plus sign that nobody encoded arrives as a space: 2024-08-03T09:12:44 02:00.
    plain = found[2].strip().replace(" ", "+")
    try:
        return Moment(found[1] or "eq", parse_span(plain, zone))
    except (ValueError, OverflowError):
        raise _invalid(
            "fhir.date",
            f"{quoted(parameter.name)} takes a date such as 2024, 2024-08, ge2024-08-03 or "
            f"lt2024-08-03T09:12:44+02:00; {quoted(text)} came.",
        ) from None


def _target(parameter: Parameter, text: str, base_url: str) -> Target:
    plain = _unescaped(text)
    if base_url and plain.startswith(base_url + "/"):
        plain = plain[len(base_url) + 1 :]
    kind, _, ident = plain.rpartition("/")
    if not _ID.fullmatch(ident) or (kind and kind not in parameter.targets):
        raise _invalid(
            "fhir.reference",
            f"{quoted(parameter.name)} takes an id or {' or '.join(f'{target}/id' for target in parameter.targets)} "
            f"of this server; {quoted(text)} came.",
        )
    return Target(kind or (parameter.targets[0] if len(parameter.targets) == 1 else ""), ident)


def _one_of(name: str, value: str, possible: tuple[str, ...]) -> str:
    if value not in possible:
        raise _invalid("fhir.value", f"{quoted(name)} is one of {', '.join(possible)}; {quoted(value)} came.")
    return value


def _invalid(code: str, sentence: str) -> FhirRefusal:
    return FhirRefusal(400, "invalid", code, sentence)


def folded(text: str) -> str:
    """Return text as searches compare it: letters and digits without case and accents, one space between words."""
    if not text.isascii():
        wide = text.replace("œ", "oe").replace("Œ", "OE")
        text = "".join(mark for mark in unicodedata.normalize("NFKD", wide) if not unicodedata.combining(mark))
    return " ".join("".join(mark if mark.isalnum() else " " for mark in text.casefold()).split())
