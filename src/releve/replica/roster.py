"""The roster: which sites a hub knows and the key that must have signed each one's history. Values only.

The hub's authority signs it, so whoever runs the server of a hub cannot slip a site in; it bears a version, so an old
one cannot be played back.
"""

from __future__ import annotations

import msgspec

from releve.errors import PeerError
from releve.replica.authority import Authority, check


class Member(msgspec.Struct, frozen=True):
    """One site: its id, its name for people, and its Ed25519 public key as 64 hexadecimal digits."""

    site: str
    name: str
    public_key: str

    @property
    def key(self) -> bytes:
        """Return the 32 bytes of the key."""
        return bytes.fromhex(self.public_key)


class Roster(msgspec.Struct, frozen=True):
    """The sites of one hub; a higher version replaces a lower one."""

    hub: str
    version: int
    members: tuple[Member, ...] = ()

    def member(self, site: str) -> Member | None:
        """Return a site of this roster, if it is there."""
        return next((member for member in self.members if member.site == site), None)


class _Signed(msgspec.Struct, frozen=True):
    payload: str
    signature: str


def encode_roster(roster: Roster, authority: Authority) -> bytes:
    """Return a roster as signed JSON."""
    payload = msgspec.json.encode(roster)
    return msgspec.json.encode(_Signed(payload.decode(), authority.sign(payload).hex()))


def parse_roster(data: bytes, authority_pem: bytes) -> Roster:
    """Return the roster that these bytes hold.

    raises  PeerError  they are no roster, or the hub's authority did not sign it
    """
    try:
        signed = msgspec.json.decode(data, type=_Signed)
        payload, signature = signed.payload.encode(), bytes.fromhex(signed.signature)
        roster = msgspec.json.decode(payload, type=Roster)
        keys_are_whole = all(len(member.key) == 32 for member in roster.members)
    except (msgspec.DecodeError, ValueError) as error:
        raise PeerError("replica.roster", f"{len(data)} bytes are no roster: {error}. The one held is kept.") from error
    if not check(authority_pem, signature, payload):
        raise PeerError("replica.roster-signature", "A roster is not signed by its hub's authority; it was not taken.")
    if not keys_are_whole:
        raise PeerError(
            "replica.roster", f"Roster {roster.version} holds a key that is not 32 bytes; it was not taken."
        )
    return roster
