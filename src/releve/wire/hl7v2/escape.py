r"""Escape sequences of HL7 v2 text: \F\ \S\ \T\ \R\ \E\, \X..\, \.br\ and their kin.

What is not a known sequence is text and stays as it is: "C:\temp" loses nothing. Source: HL7 v2.5.1, 2.7.
"""

from __future__ import annotations

from releve.wire.hl7v2.charset import decode_escaped

#: Highlighting begins and ends, and formatting commands without a sign of their own: they leave no trace in plain text.
_SILENT = frozenset(("H", "N", ".fi", ".nf", ".ce"))
#: Sequences that are well formed and not ours to read: local ones, and switches of character set.
_LOCAL = ("Z", "C", "M")
_LINES_MAX = 100  # of \.sp9999999\: a longer gap is no text, and must not become megabytes


def unescape(text: str, escape: str, delimiters: dict[str, str], charset: str) -> str:
    r"""Return text with its escape sequences replaced by what they stand for.

    escape      the escape character of the message, "" when it has none
    delimiters  {"F": "|", "S": "^", …}: the message's own characters, "E" included
    charset     of the message: \X..\ holds bytes of it

    Sequences next to each other are read together, so that \XC3\\XA9\ is one é. Unknown ones, \Z..\, \C..\ and \M..\
    stay as they are, and so does a hex sequence that would put a control character into the text.
    """
    if not escape or escape not in text:
        return text
    parts = text.split(escape)
    out = [parts[0]]
    hexed = b""
    index, last = 1, len(parts) - 1
    while index <= last:
        body = parts[index]
        following = parts[index + 1] if index < last else None  # None: nothing closes it, so it is text
        raw = _hex_bytes(body) if following is not None else b""
        if hexed and not raw:
            out.append(_hexed_text(hexed, charset, escape))
            hexed = b""
        if following is None:
            out.append(escape + body)
            break
        if raw:
            hexed += raw
            if following:
                out.append(_hexed_text(hexed, charset, escape))
                hexed = b""
        else:
            meaning = delimiters.get(body)
            if meaning is None:
                meaning = _formatting(body)
            if meaning is None and body[:1] in _LOCAL and body.isalnum():
                meaning = escape + body + escape
            if meaning is None:
                out.append(escape + body)
                index += 1  # what closed it may open the next one
                continue
            out.append(meaning)
        out.append(following)
        index += 2
    if hexed:
        out.append(_hexed_text(hexed, charset, escape))
    return "".join(out)


def _hex_bytes(body: str) -> bytes:
    """Return the bytes of an X.. sequence; none when it is something else."""
    if len(body) < 3 or body[0] not in "Xx" or not body.isascii():
        return b""
    digits = body[1:]
    if not digits.isalnum() or len(digits) % 2:
        return b""
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _hexed_text(raw: bytes, charset: str, escape: str) -> str:
    text = decode_escaped(raw, charset).replace("\r\n", "\n").replace("\r", "\n")
    if any(character < " " and character not in "\n\t" for character in text):
        return f"{escape}X{raw.hex().upper()}{escape}"
    return text


def _formatting(body: str) -> str | None:
    """Return what a formatting command leaves in plain text, or None when it is no command."""
    if body in _SILENT:
        return ""
    command = body[:3]
    if command not in (".br", ".sp", ".in", ".ti", ".sk"):
        return None
    number = body[3:].strip().lstrip("+-")
    if number and not (number.isascii() and number.isdigit()):
        return None
    if command in (".in", ".ti"):
        return ""
    count = min(int(number[:4] or 1), _LINES_MAX)
    return (" " if command == ".sk" else "\n") * count


def escape_text(text: str, escape: str, delimiters: dict[str, str]) -> str:
    r"""Return text made safe for a field: delimiters become \F\ and so on, line breaks \.br\."""
    if not escape:
        return text
    out = text.replace(escape, f"{escape}E{escape}")
    for letter, character in delimiters.items():
        if letter != "E" and character:
            out = out.replace(character, f"{escape}{letter}{escape}")
    return out.replace("\r\n", "\n").replace("\r", "\n").replace("\n", f"{escape}.br{escape}")
