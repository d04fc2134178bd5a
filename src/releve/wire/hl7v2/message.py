"""A message as its exact text, read lazily: nothing is normalised, nothing is dropped, a field is split when asked for.

It refuses only what has no MSH. Everything else is a message with remarks: odd delimiters, line feeds as terminators,
lines that begin no segment, lying character sets. Source: HL7 v2.5.1, 2.5 and 2.6.
"""

from __future__ import annotations

from releve.errors import PeerError
from releve.wire.hl7v2.charset import decode
from releve.wire.hl7v2.escape import unescape

NULL = '""'
"""What a sender writes to delete a value, where an empty field says nothing."""

_STANDARD = "^~\\&"
_BLANK = b"\r\n\t \x0b\x00\xef\xbb\xbf"  # what may stand before MSH without being part of anything: blanks, a BOM
_HEADERS = ("MSH", "BHS", "FHS")  # segments whose field 1 is the separator itself
_PROSE = ("OBX", "NTE")  # segments whose text senders break with bare line ends
_SHOWN_MAX = 40  # characters of a peer's bytes in a sentence

#: Names that a line feed inside a CR message must be followed by to count as a terminator: HL7 v2.8 appendix A, and Z…
SEGMENT_NAMES = frozenset(
    """
    ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BHS BLC BLG BPO BPX BTS BTX BUI CDM CDO CER CM0 CM1 CM2 CNS
    CON CSP CSR CSS CTD CTI CTR DB1 DEV DG1 DMI DON DPS DRG DSC DSP DST ECD ECR EDU EQP EQU ERR EVN FAC FHS FT1 FTS GOL
    GP1 GP2 GT1 IAM IAR IIM ILT IN1 IN2 IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC LRL MCP MFA MFE MFI MRG MSA
    MSH NCK NDS NK1 NPU NSC NST NTE OBR OBX ODS ODT OH1 OH2 OH3 OH4 OM1 OM2 OM3 OM4 OM5 OM6 OM7 OMC ORC ORG OVR PAC PCE
    PCR PD1 PDA PDC PEO PES PID PKG PM1 PMT PR1 PRA PRB PRC PRD PRT PSG PSH PSL PSS PTH PV1 PV2 PYE QAK QID QPD QRD QRF
    QRI RCP RDF RDT REL RF1 RFI RGS RMI ROL RQ1 RQD RXA RXC RXD RXE RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SHP
    SID SLT SPM STF STZ TCC TCD TQ1 TQ2 TXA UAC UB1 UB2 URD URS VAR VND
    """.split()  # noqa: SIM905 - a column of names is read more easily than 190 quoted ones
)


class NotHL7(PeerError):
    """The bytes do not begin with an MSH segment: there is nobody to answer in particular and nothing to read."""


class Delimiters:
    """The characters that MSH-1 and MSH-2 declare; one that is not declared is "" and not in use."""

    __slots__ = ("component", "escape", "field", "letters", "repetition", "subcomponent")

    def __init__(self, field: str, encoding: str) -> None:
        if not encoding or any(character.isalnum() or character <= " " for character in encoding):
            encoding = _STANDARD  # MSH-2 is empty or was left out; what is in its place says nothing
        component, repetition, escape, subcomponent, *rest = (*encoding[:5], "", "", "", "", "")
        if rest[0] and subcomponent == escape:  # "^~\\&": somebody escaped the backslash once too often
            subcomponent, rest[0] = rest[0], ""
        self.field = field
        self.component = component
        self.repetition = repetition
        self.escape = escape
        self.subcomponent = subcomponent
        self.letters = {"F": field, "S": component, "T": subcomponent, "R": repetition, "E": escape}
        if rest[0]:  # v2.7: the truncation character
            self.letters["P"] = rest[0]


_known_delimiters: dict[str, Delimiters] = {}
_KNOWN_DELIMITERS_MAX = 64  # there is one in practice; a hostile peer must not fill our memory


def _delimiters(field: str, encoding: str) -> Delimiters:
    known = _known_delimiters.get(field + encoding)
    if known is None:
        known = Delimiters(field, encoding)
        if len(_known_delimiters) < _KNOWN_DELIMITERS_MAX and len(encoding) <= 5:
            _known_delimiters[field + encoding] = known
    return known


class Segment:
    """One segment: its exact text, split into fields at the first question.

    name  the three characters in front; of a line that begins no segment, what stands before its first separator
    text  exact, without its terminator
    """

    __slots__ = ("_charset", "_delimiters", "_fields", "name", "text")

    def __init__(self, name: str, text: str, delimiters: Delimiters, charset: str) -> None:
        self.name = name
        self.text = text
        self._delimiters = delimiters
        self._charset = charset  # and no way back to the message: a message goes when nobody holds it any more
        self._fields: list[str] | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.name}, {len(self.text)} characters>"  # a log line must not hold a patient

    def fields(self) -> list[str]:
        """Return the exact text of all fields, [0] being the name; MSH-1 is the separator itself."""
        fields = self._fields
        if fields is None:
            fields = self.text.split(self._delimiters.field)
            if self.name in _HEADERS:
                fields.insert(1, self._delimiters.field)
            self._fields = fields
        return fields

    def raw(self, field: int) -> str:
        """Return the exact text of a field, "" when it is absent."""
        fields = self._fields
        if fields is None:
            fields = self.fields()
        return fields[field] if field < len(fields) else ""

    def is_null(self, field: int) -> bool:
        """Say whether a field is "", which deletes; an empty one says nothing."""
        return self.raw(field) == NULL

    def reps(self, field: int) -> list[str]:
        """Return the exact text of each repetition of a field; none of an empty one."""
        text = self.raw(field)
        if not text:
            return []
        repetition = self._delimiters.repetition
        if not repetition or repetition not in text or (field == 2 and self.name in _HEADERS):
            return [text]
        return text.split(repetition)

    def get(self, field: int, component: int = 1, sub: int = 1, rep: int = 0) -> str:
        """Return a subcomponent as text, its escapes replaced; "" when it is absent or null.

        component, sub  counted from 1, as the standard does
        rep             counted from 0, as a list is
        """
        fields = self._fields
        if fields is None:
            fields = self.fields()
        if field >= len(fields):
            return ""
        text = fields[field]
        if not text:
            return ""
        d = self._delimiters
        if field <= 2 and self.name in _HEADERS:
            return text if component == 1 and sub == 1 and rep == 0 else ""
        if d.repetition and d.repetition in text:
            reps = text.split(d.repetition)
            text = reps[rep] if rep < len(reps) else ""
        elif rep:
            return ""
        if d.component and d.component in text:
            parts = text.split(d.component, component)
            text = parts[component - 1] if component <= len(parts) else ""
        elif component > 1:
            return ""
        if d.subcomponent and d.subcomponent in text:
            parts = text.split(d.subcomponent, sub)
            text = parts[sub - 1] if sub <= len(parts) else ""
        elif sub > 1:
            return ""
        if text == NULL:
            return ""
        if d.escape and d.escape in text:
            return unescape(text, d.escape, d.letters, self._charset)
        return text


class Message:
    """One message: bytes, text, segments. Made by parse.

    raw       as it came
    text      decoded; nothing else was done to it
    charset   the Python codec that was used
    remarks   what was doubtful, each with its code in front
    segments  every one, in order, Z segments and lines that begin no segment among them
    """

    __slots__ = ("_msh", "charset", "code", "control_id", "delimiters", "raw", "remarks", "segments", "text", "trigger")

    def __init__(self, raw: bytes, text: str, charset: str, remarks: list[str], delimiters: Delimiters) -> None:
        self.raw = raw
        self.text = text
        self.charset = charset
        self.remarks = remarks
        self.delimiters = delimiters
        self.segments: list[Segment] = []
        self._msh: list[str] = []
        self.control_id = self.code = self.trigger = ""

    def __repr__(self) -> str:
        return f"<Message {self.type} {self.control_id!r}, {len(self.raw)} bytes>"

    def header(self, field: int) -> str:
        """Return the exact text of a field of MSH, "" when it is absent."""
        return self._msh[field] if field < len(self._msh) else ""

    @property
    def type(self) -> str:
        """MSH-9 as "ADT^A01", whatever the delimiters of the message; "ACK" when there is no event."""
        return f"{self.code}^{self.trigger}" if self.trigger else self.code

    @property
    def structure(self) -> str:
        """MSH-9.3, such as "ADT_A01"; "" when the sender does not say."""
        return self.segments[0].get(9, 3)

    @property
    def version(self) -> str:
        """MSH-12.1, such as "2.5"."""
        return self.segments[0].get(12)

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P production, T training, D debugging."""
        return self.segments[0].get(11)

    @property
    def sender(self) -> str:
        """MSH-3 and MSH-4 as they stand, with "|" between: whose numbering MSH-10 belongs to."""
        return f"{self.header(3)}|{self.header(4)}"

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.segments[0].get(4)

    @property
    def accept_ack_type(self) -> str:
        """MSH-15: AL, NE, ER or SU; "" in original mode."""
        return self.header(15)

    @property
    def application_ack_type(self) -> str:
        """MSH-16: AL, NE, ER or SU; "" in original mode."""
        return self.header(16)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> list[Segment]:
        """Return the segments of a name, in order."""
        return [segment for segment in self.segments if segment.name == name]

    def components(self, text: str) -> list[str]:
        """Return the exact text of each component of a repetition."""
        component = self.delimiters.component
        return text.split(component) if component else [text]

    def subcomponents(self, text: str) -> list[str]:
        """Return the exact text of each subcomponent of a component."""
        subcomponent = self.delimiters.subcomponent
        return text.split(subcomponent) if subcomponent else [text]

    def unescape(self, text: str) -> str:
        """Return text with its escape sequences replaced by what they stand for."""
        d = self.delimiters
        if not d.escape or d.escape not in text:
            return text
        return unescape(text, d.escape, d.letters, self.charset)

    def encode(self) -> bytes:
        """Return the bytes as they came: reading changes nothing."""
        return self.raw


def parse(raw: bytes, default_charset: str = "utf-8") -> Message:
    """Return the message that the bytes are.

    default_charset  the codec for a sender that leaves MSH-18 empty
    raises           NotHL7   there is no MSH segment in front; never for anything else
    """
    start = 0 if raw[:3] == b"MSH" else _find_msh(raw)
    declared = _declared_charset(raw, start) if start != _WIDE else "UNICODE UTF-16"
    text, charset, remarks = decode(raw, declared, default_charset)
    lines = _lines(text[text.find("MSH") :] if start else text)
    field = lines[0][3:4]
    if not "!" <= field <= "~" or field.isalnum():
        raise _not_hl7(raw)
    msh = lines[0].split(field)
    message = Message(raw, text, charset, remarks, _delimiters(field, msh[1]))
    msh.insert(1, field)
    message._msh = msh
    if len(msh) > 10:
        message.control_id = msh[10]
    if len(msh) > 9:
        kind = message.components(msh[9])
        message.code = kind[0]
        message.trigger = kind[1] if len(kind) > 1 else ""
    _place_segments(message, lines)
    return message


def _place_segments(message: Message, lines: list[str]) -> None:
    """Make a segment of each line; a line that begins none is the rest of a broken text, or a segment of its own."""
    d, segments, charset = message.delimiters, message.segments, message.charset
    field = d.field
    broken = odd = 0
    for line in lines:
        name = line[:3]
        if (line[3:4] == field or len(line) == 3) and name.isupper() and name.isalnum():
            segments.append(Segment(name, line, d, charset))
        elif not line or line.isspace():
            continue
        elif segments[-1].name in _PROSE:
            segments[-1].text += "\n" + line
            broken += 1
        else:
            segments.append(Segment(line.split(field, 1)[0], line, d, charset))
            odd += 1
    segments[0]._fields = message._msh
    if broken:
        message.remarks.append(f"hl7v2.text-broken: {broken} lines begin no segment and continue the text before them.")
    if odd:
        message.remarks.append(f"hl7v2.odd-line: {odd} lines begin no segment; they are kept as they are.")


def _lines(text: str) -> list[str]:
    """Return the lines of a message, whichever way its sender ends them.

    CR is the standard and always ends a segment. What ends the first line decides about line feeds: behind a lone CR
    they are data, unless a known segment begins right after one.
    """
    if "\n" not in text:
        return text.split("\r")
    feed, carriage = text.find("\n"), text.find("\r")
    if carriage < 0:
        return text.split("\n")
    text = text.replace("\r\n", "\r")
    if feed < carriage:
        return text.replace("\n", "\r").split("\r")
    lines = text.split("\r")
    return _split_at_feeds(lines) if "\n" in text else lines


def _split_at_feeds(lines: list[str]) -> list[str]:
    """Split CR lines again at each line feed that a known segment follows; every other one is data."""
    field = lines[0][3:4]
    out: list[str] = []
    for line in lines:
        if "\n" not in line:
            out.append(line)
            continue
        first, *rest = line.split("\n")
        run = [first]
        for piece in rest:
            name = piece[:3]
            if piece[3:4] == field and (name in SEGMENT_NAMES or (name[0] == "Z" and name.isalnum())):
                out.append("\n".join(run))
                run = []
            run.append(piece)
        out.append("\n".join(run))
    return out


_WIDE = -1
_HEADER_BYTES_MAX = 4096  # MSH-3 to MSH-18 of the longest public message take 300


def _find_msh(raw: bytes) -> int:
    """Return where MSH begins behind blanks or a byte order mark; _WIDE when it is written in UTF-16 or UTF-32.

    raises  NotHL7  something else stands in front
    """
    start = len(raw) - len(raw.lstrip(_BLANK))
    if raw[start : start + 3] == b"MSH":
        return start
    if raw[:16].translate(None, b"\xff\xfe\x00")[:3] == b"MSH":
        return _WIDE
    raise _not_hl7(raw)


def _declared_charset(raw: bytes, start: int) -> str:
    """Return the first repetition of MSH-18, found in the bytes because it says how to read them."""
    head = raw[start : start + _HEADER_BYTES_MAX].split(b"\r", 1)[0].split(b"\n", 1)[0]
    fields = head.split(head[3:4] or b"|", 18)
    if len(fields) < 18 or not fields[17]:
        return ""
    return fields[17].split(fields[1][1:2] or b"~", 1)[0].decode("latin-1")


def _not_hl7(raw: bytes) -> NotHL7:
    shown = raw[:_SHOWN_MAX].decode("ascii", "replace")
    return NotHL7(
        "hl7v2.no-msh",
        f"These {len(raw)} bytes are no HL7 v2 message: expected MSH and a separator in front, found {shown!r}. "
        "They were not understood; send a message that begins with MSH.",
    )
