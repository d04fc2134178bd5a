"""Character sets: which codec MSH-18 names, and the best reading of bytes that do not keep to it.

An admission is never refused for its characters. What the bytes say beats what MSH-18 says, and the lie is a remark.
Source: HL7 v2.5.1 table 0211; the C1 rule (0x80 to 0x9F in "Latin-1" are Windows-1252) is that of the WHATWG encodings.
"""

from __future__ import annotations

import codecs

#: HL7 table 0211, and the spellings that senders really use; the key is upper case without blanks, "-", "_" and "/".
_CODECS = {
    "": "",
    '""': "",
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODEUTF16": "utf-16",
    "UTF16": "utf-16",
    "UNICODEUTF32": "utf-32",
    "UTF32": "utf-32",
    "ISOIR100": "iso8859-1",
    "ISOIR101": "iso8859-2",
    "ISOIR109": "iso8859-3",
    "ISOIR110": "iso8859-4",
    "ISOIR144": "iso8859-5",
    "ISOIR127": "iso8859-6",
    "ISOIR126": "iso8859-7",
    "ISOIR138": "iso8859-8",
    "ISOIR148": "iso8859-9",
    "LATIN1": "iso8859-1",
    "LATIN9": "iso8859-15",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "ANSI": "cp1252",
    "ISOIR13": "shift_jis",
    "ISOIR14": "shift_jis",
    "ISOIR87": "iso2022_jp",
    "ISOIR159": "iso2022_jp_1",
    "KSX1001": "euc_kr",
    "GB180302000": "gb18030",
    "BIG5": "big5",
    "CNS116431992": "big5",
}
_DROPPED = str.maketrans("", "", " -_/")
_WIDE = ("utf-16", "utf-32")
_NOT_ASCII = (*_WIDE, "iso2022_jp", "iso2022_jp_1")  # their bytes may all be below 0x80 and yet say something else
_C1 = bytes(range(0x80, 0xA0))
_KNOWN_MAX = 256  # spellings remembered; a peer that sends a new one each time must not fill our memory

_known: dict[str, str | None] = {}


def codec_of(declared: str) -> str | None:
    """Return the Python codec that an MSH-18 names; "" when it is empty, None when it is not known."""
    codec = _known.get(declared, "?")
    if codec == "?":
        codec = _look_up(declared)
        if len(_known) < _KNOWN_MAX:
            _known[declared] = codec
    return codec


def _look_up(declared: str) -> str | None:
    key = declared.upper().translate(_DROPPED)
    if key in _CODECS:
        return _CODECS[key]
    for prefix in ("ISO8859", "8859"):
        part = key.removeprefix(prefix)
        if part != key and part.isascii() and part.isdigit() and 1 <= int(part) <= 16 and int(part) != 12:
            return f"iso8859-{int(part)}"
    return None


def decode(raw: bytes, declared: str, default: str) -> tuple[str, str, list[str]]:
    """Return (text, codec that gave it, remarks) of a message; never refuses.

    declared  MSH-18, its first repetition
    default   the codec that the site sets for a sender who declares nothing

    The text encodes back to the same bytes unless a remark "hl7v2.charset-mixed" stands among the remarks.
    """
    codec = codec_of(declared)
    remarks = []
    if codec is None:
        remarks.append(f"hl7v2.charset-unknown: MSH-18 names {declared[:40]!r}, which is not in table 0211.")
    wanted = codec or default
    if raw.isascii() and wanted not in _NOT_ASCII:
        return raw.decode("ascii"), wanted, remarks
    wide = _decode_wide(raw)
    if wide is not None:
        return *wide, remarks
    if wanted in _WIDE:
        remarks = _lie(remarks, declared, "each character has one byte", codec)
        wanted = "utf-8"
    if wanted == "utf-8":
        try:
            return raw.decode("utf-8"), "utf-8", remarks
        except UnicodeDecodeError:
            return _decode_broken_utf8(raw, declared, codec, remarks)
    return _decode_other(raw, wanted, declared, codec, remarks)


def _decode_other(
    raw: bytes, wanted: str, declared: str, codec: str | None, remarks: list[str]
) -> tuple[str, str, list[str]]:
    """Decode by a codec other than UTF-8, unless the bytes are UTF-8 after all."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if not text.isascii():
            return text, "utf-8", _lie(remarks, declared, "they are UTF-8", codec)
    if wanted.startswith("iso8859") and _has_c1(raw):
        try:
            return raw.decode("cp1252"), "cp1252", _lie(remarks, declared, "they are Windows-1252", codec)
        except UnicodeDecodeError:
            pass  # one of its five undefined bytes; the declared codec has the next word
    try:
        return raw.decode(wanted), wanted, remarks
    except (UnicodeDecodeError, LookupError):
        text, fallback = _decode_western(raw)
        return text, fallback, _lie(remarks, declared, f"they are not {wanted}; read as {fallback}", codec)


def decode_escaped(raw: bytes, codec: str) -> str:
    r"""Return the text of the bytes of \X..\ escapes, which are in the message's charset."""
    try:
        return raw.decode(codec if codec != "ascii" else "utf-8")
    except (UnicodeDecodeError, LookupError):
        return _decode_western(raw)[0]


def _lie(remarks: list[str], declared: str, what: str, codec: str | None) -> list[str]:
    """Add the remark that the bytes are not what was declared; nothing was promised when nothing was declared."""
    code = "hl7v2.charset-lies" if codec else "hl7v2.charset-guessed"
    says = f"MSH-18 says {declared[:40]!r}" if declared else "MSH-18 is empty"
    return [*remarks, f"{code}: {says}; of the bytes, {what}."]


def _has_c1(raw: bytes) -> bool:
    return len(raw.translate(None, _C1)) != len(raw)


def _decode_wide(raw: bytes) -> tuple[str, str] | None:
    """Return (text, codec) of UTF-16 or UTF-32, told by a mark or by the zero bytes of "MSH"; None of anything else."""
    for head, codec in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"M\0S\0H\0", "utf-16-le"),
        (b"\0M\0S\0H", "utf-16-be"),
    ):
        if raw.startswith(head):
            try:
                return raw.decode(codec), codec
            except UnicodeDecodeError:
                return None
    return None


def _decode_western(raw: bytes) -> tuple[str, str]:
    """Return (text, codec): Windows-1252 where its bytes stand, else Latin-1, which reads everything."""
    if _has_c1(raw):
        try:
            return raw.decode("cp1252"), "cp1252"
        except UnicodeDecodeError:
            pass  # falls to Latin-1, which has no undefined byte
    return raw.decode("latin-1"), "iso8859-1"


def _decode_broken_utf8(raw: bytes, declared: str, codec: str | None, remarks: list[str]) -> tuple[str, str, list[str]]:
    """Decode bytes said to be UTF-8 that are not.

    When no accent in them is UTF-8 the whole is one Western charset. Otherwise one field came from another system, or
    the message was cut: the good accents are kept and the bad bytes are read one by one.
    """
    if raw.decode("utf-8", "ignore").isascii():
        text, western = _decode_western(raw)
        return text, western, _lie(remarks, declared, f"they are not UTF-8; read as {western}", codec)
    mixed = (
        f"hl7v2.charset-mixed: MSH-18 says {declared[:40]!r}; some bytes are UTF-8 and some are not; read one by one."
    )
    return raw.decode("utf-8", "releve-western"), "utf-8", [*remarks, mixed]


def _western_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError), "this reads bytes only"
    return _decode_western(error.object[error.start : error.start + 1])[0], error.start + 1


codecs.register_error("releve-western", _western_byte)
