"""Temporary numbers for people nobody knows yet: no other node can issue the same one, nor this one twice.

A number is the node's id and the sequence number of an event that reserved it (capture.reservation_draft): the log
gives a sequence number once, synced, so a crash before or after cannot give it again, and asking again with the same
key gets the same number. A node that lost its history writes under a higher epoch, which then stands in the number.

    T-H07-000123-3        node H07, reservation 123, check character (ISO/IEC 7064, MOD 37,36)
    T-H07.2-000005-A      the same node in its second epoch
"""

from __future__ import annotations

import re

from releve.record.terms import TEMPORARY_SYSTEM

__all__ = ["TEMPORARY_SYSTEM", "is_temporary_number", "temporary_number"]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE = re.compile(r"T-(?P<node>[A-Z0-9._-]{1,40})-(?P<count>[0-9]{6,12})-(?P<check>[0-9A-Z])", re.ASCII)


def temporary_number(node: str, reservation: int, *, epoch: int = 1) -> str:
    """Return the temporary number of a reservation.

    node         id of the node that reserved it
    reservation  Receipt.seq of the reservation
    epoch        of the node's log
    """
    name = node.upper() if epoch == 1 else f"{node.upper()}.{epoch}"
    stem = f"T-{name}-{reservation:06d}"
    return f"{stem}-{check_character(stem)}"


def is_temporary_number(text: str) -> bool:
    """Say whether a text is a temporary number and its check character is right; case and blanks do not matter."""
    plain = text.strip().upper()
    return _SHAPE.fullmatch(plain) is not None and check_character(plain[:-2]) == plain[-1]


def check_character(text: str) -> str:
    """Return the check character of a text by ISO/IEC 7064 MOD 37,36: it finds every single slip.

    Only letters and digits count. Worked example: "A12425GABC1234002" gives "M" (the standard's hybrid system, 36).
    """
    product = 36
    for letter in text:
        value = _ALPHABET.find(letter)
        if value < 0:
            continue
        total = (product + value) % 36 or 36
        product = total * 2 % 37
    return _ALPHABET[(37 - product) % 36]
