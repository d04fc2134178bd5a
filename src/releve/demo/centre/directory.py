"""The directory: LDAP simple bind and search of one entry, in the few BER types that these two need.

Source: RFC 4511, sections 4.2 (bind), 4.5 (search), 4.3 (unbind); X.690 for the lengths.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator

from releve.demo.centre.room import DNS_TIMEOUT_S, HOST, Programme, Room, Unreachable, find
from releve.demo.centre.storage import volume

BASE = "dc=centre,dc=example"
_BIND, _BIND_ANSWER, _UNBIND, _SEARCH, _ENTRY, _SEARCH_DONE = 0x60, 0x61, 0x42, 0x63, 0x64, 0x65
_INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE, _SET, _SIMPLE = 0x02, 0x04, 0x0A, 0x30, 0x31, 0x80
_SUCCESS, _PROTOCOL_ERROR, _NO_SUCH_OBJECT, _INVALID_CREDENTIALS = 0, 2, 32, 49
MESSAGE_BYTES_MAX = 65_536


def dn_of(program: str) -> str:
    """Return the distinguished name of a program's account."""
    return f"cn={program},ou=programs,{BASE}"


def tlv(tag: int, *content: bytes) -> bytes:
    """Return a BER element; lengths above 127 take the long form: 300 bytes are 82 01 2c."""
    value = b"".join(content)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of consecutive BER elements.

    raises  ValueError  a length goes beyond the bytes
    """
    at = 0
    while at < len(data):
        tag, length, start = data[at], data[at + 1] if at + 1 < len(data) else 0x100, at + 2
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        if start + length > len(data):
            raise ValueError(f"a BER element at byte {at} is longer than what came")
        yield tag, data[start : start + length]
        at = start + length


def bind_request(dn: str, password: str) -> bytes:
    """Return a simple bind, message 1."""
    return tlv(
        _SEQUENCE,
        tlv(_INTEGER, b"\x01"),
        tlv(_BIND, tlv(_INTEGER, b"\x03"), tlv(_OCTETS, dn.encode()), tlv(_SIMPLE, password.encode())),
    )


def result_code(message: bytes) -> int:
    """Return the result code of an answer.

    raises  ValueError  these bytes are no LDAP answer
    """
    try:
        (_, body), *_ = elements(message)
        _, (_, operation) = list(elements(body))[:2]
        (_, code), *_ = elements(operation)
    except (IndexError, ValueError) as error:
        raise ValueError("this is no LDAP answer") from error
    return code[0]


def answer(message: bytes, accounts: dict[str, str]) -> bytes | None:
    """Return what the directory answers to one message; None ends the conversation.

    accounts  distinguished name → password
    raises    ValueError  these bytes are no LDAP message
    """
    (number_tag, number), (operation, content), *_ = elements(message)
    if number_tag != _INTEGER or operation == _UNBIND:
        return None
    if operation == _BIND:
        _, (_, dn), (method, password), *_ = elements(content)
        known = accounts.get(dn.decode("utf-8", "replace").lower())
        is_right = method == _SIMPLE and (not dn or (known is not None and known.encode() == password))
        return _reply(number, _BIND_ANSWER, _SUCCESS if is_right else _INVALID_CREDENTIALS)
    if operation == _SEARCH:
        (_, base), *_ = elements(content)
        dn_text = base.decode("utf-8", "replace")
        if dn_text.lower() == BASE:
            entry = _entry(dn_text, {"objectClass": "dcObject", "dc": "centre"})
        elif dn_text.lower() in accounts:
            entry = _entry(dn_text, {"objectClass": "account", "cn": dn_text.partition(",")[0].partition("=")[2]})
        else:
            return _reply(number, _SEARCH_DONE, _NO_SUCH_OBJECT)
        return tlv(_SEQUENCE, tlv(_INTEGER, number), entry) + _reply(number, _SEARCH_DONE, _SUCCESS)
    return _reply(number, _SEARCH_DONE, _PROTOCOL_ERROR)


async def authenticate(room: Room, program: str) -> None:
    """Bind as a program's account, as each program does before it opens.

    raises  Unreachable  the directory is not there, or does not know us
    """
    host, port = await find(room, "directory")
    try:
        async with asyncio.timeout(DNS_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(bind_request(dn_of(program), room.secrets[program]))
            code = result_code(await reader.read(MESSAGE_BYTES_MAX))
            writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        raise Unreachable(f"cannot reach the directory at {host}:{port}: {error or 'no answer'}") from error
    if code != _SUCCESS:
        raise Unreachable(f"the directory refuses the account {dn_of(program)} (result code {code})")


def _reply(number: bytes, operation: int, code: int) -> bytes:
    result = tlv(operation, tlv(_ENUMERATED, bytes((code,))), tlv(_OCTETS), tlv(_OCTETS))
    return tlv(_SEQUENCE, tlv(_INTEGER, number), result)


def _entry(dn: str, attributes: dict[str, str]) -> bytes:
    rows = [
        tlv(_SEQUENCE, tlv(_OCTETS, name.encode()), tlv(_SET, tlv(_OCTETS, value.encode())))
        for name, value in attributes.items()
    ]
    return tlv(_ENTRY, tlv(_OCTETS, dn.encode()), tlv(_SEQUENCE, *rows))


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Return the content of the next LDAP message."""
    head = await reader.readexactly(2)
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(await reader.readexactly(length & 0x7F), "big")
    if head[0] != _SEQUENCE or length > MESSAGE_BYTES_MAX:
        raise ValueError("this is no LDAP message")
    return await reader.readexactly(length)


async def _check(room: Room) -> dict[str, str]:
    """Read the accounts from the directory's volume; the first start of all writes them there."""
    path = await volume(room, "directory") / "accounts.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({dn_of(program): password for program, password in room.secrets.items()}))
    accounts: dict[str, str] = json.loads(path.read_text())
    return accounts


async def _serve(room: Room, accounts: object, opened: Callable[[], None]) -> None:
    assert isinstance(accounts, dict)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (reply := answer(await _read_message(reader), accounts)) is not None:
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass  # gone, or no LDAP: RFC 4511 section 5.3 lets the server close
        finally:
            writer.close()

    server = await asyncio.start_server(talk, HOST, room.ports["directory"])
    opened()
    async with server:
        await server.serve_forever()


DIRECTORY = Programme(_check, _serve, 0.9)
