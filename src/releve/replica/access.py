"""A node's side of enrolment: the request it makes, the invitation it accepts, the hubs it then may reach.

    write_request    DIR/keys/request.json        public things only, signed by the node's log key
    accept           DIR/keys/hubs/<hub>/         what one invitation brought, readable by its owner alone
    read_accesses    every hub accepted, ready to connect

Two hubs are two independent enrolments with the same request.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from releve.errors import WrongUse
from releve.replica.keyfile import write_private, write_public
from releve.replica.names import check_site
from releve.replica.roster import Roster, parse_roster

REQUEST_FILE = Path("keys/request.json")
HUBS_FOLDER = Path("keys/hubs")
_ACCESS_FILE = "access.json"
_CERTIFICATE_FILE = "client.pem"  # ssl reads certificates from a file only
_ROSTER_FILE = "roster.json"


class Request(msgspec.Struct, frozen=True):
    """What a node asks a hub with; nothing in it is secret.

    signature  by the log key, over everything else: whoever asks for a site holds its key
    """

    site: str
    name: str
    public_key: str
    signature: str = ""


class Invitation(msgspec.Struct, frozen=True):
    """What a hub gives one site, once; holds secrets.

    url        tls://host:port
    roster     signed, as the hub publishes it
    """

    hub: str
    url: str
    site: str
    authority_pem: str
    certificate_pem: str
    key_pem: str
    nkey_seed: str
    roster: str


class HubAccess:
    """What a node needs to reach one hub, and the roster it last had from it."""

    def __init__(self, folder: Path, invitation: Invitation, roster: Roster) -> None:
        self.folder = folder
        self.hub = invitation.hub
        self.url = invitation.url
        self.site = invitation.site
        self.nkey_seed = invitation.nkey_seed
        self.roster = roster
        self._authority_pem = invitation.authority_pem

    def tls(self) -> ssl.SSLContext:
        """Return the context in which only this hub is believed and this site shows who it is."""
        context = ssl.create_default_context(cadata=self._authority_pem)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.folder / _CERTIFICATE_FILE)
        return context

    def learn(self, data: bytes) -> bool:
        """Take a newer roster and keep it; returns False when it is not newer.

        raises  PeerError  it is not signed by this hub's authority
        """
        roster = parse_roster(data, self._authority_pem.encode())
        if roster.version <= self.roster.version or roster.hub != self.hub:
            return False
        write_public(self.folder / _ROSTER_FILE, data)
        self.roster = roster
        return True


def write_request(folder: Path, site: str, name: str, key: Ed25519PrivateKey) -> Path:
    """Write what the node asks a hub with, and return where."""
    public_key = key.public_key().public_bytes_raw().hex()
    request = Request(check_site(site), name, public_key)
    signed = msgspec.structs.replace(request, signature=key.sign(_asked(request)).hex())
    return write_public(folder / REQUEST_FILE, msgspec.json.format(msgspec.json.encode(signed), indent=2) + b"\n")


def read_request(path: Path) -> Request:
    """Return the request in a file.

    raises  WrongUse  there is none, or the key it names did not sign it
    """
    try:
        request = msgspec.json.decode(path.read_bytes(), type=Request)
        key, signature = Ed25519PublicKey.from_public_bytes(bytes.fromhex(request.public_key)), request.signature
        key.verify(bytes.fromhex(signature), _asked(request))
    except OSError as error:
        raise WrongUse("replica.no-request", f"{path} cannot be read: {error.strerror}. Nobody was invited.") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise WrongUse(
            "replica.bad-request",
            f"{path} is no request of a node ({error}); keys/request.json of a node was expected.",
        ) from error
    except InvalidSignature as error:
        raise WrongUse(
            "replica.bad-request", f"{path} was changed after its node signed it. Ask the node for it again."
        ) from error
    check_site(request.site)
    return request


def _asked(request: Request) -> bytes:
    return msgspec.json.encode((request.site, request.name, request.public_key))


def accept(folder: Path, invitation_path: Path) -> HubAccess:
    """Keep what an invitation brings and return the access it gives; an older access to the same hub is replaced.

    raises  WrongUse  it is no invitation, it is for another site, or its roster names another key for this one
    """
    try:
        invitation = msgspec.json.decode(invitation_path.read_bytes(), type=Invitation)
    except OSError as error:
        raise WrongUse("replica.no-invitation", f"{invitation_path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise WrongUse("replica.bad-invitation", f"{invitation_path} is no invitation of a hub: {error}.") from error
    request = read_request(folder / REQUEST_FILE)
    roster = parse_roster(invitation.roster.encode(), invitation.authority_pem.encode())
    member = roster.member(request.site)
    if invitation.site != request.site or member is None or member.public_key != request.public_key:
        raise WrongUse(
            "replica.other-site",
            f"{invitation_path} invites site {invitation.site}; this node is {request.site}, with a key of its own. "
            f"Nothing was kept: have this node's {REQUEST_FILE} invited.",
        )
    place = folder / HUBS_FOLDER / check_site(invitation.hub)
    write_private(place / _CERTIFICATE_FILE, (invitation.certificate_pem + invitation.key_pem).encode())
    write_public(place / _ROSTER_FILE, invitation.roster.encode())
    write_private(place / _ACCESS_FILE, msgspec.json.encode(invitation))
    return HubAccess(place, invitation, roster)


def read_accesses(folder: Path) -> list[HubAccess]:
    """Return the hubs that a node may reach, by name; empty when it accepted no invitation.

    raises  WrongUse  what was accepted was damaged since
    """
    return [_read_access(path.parent) for path in sorted((folder / HUBS_FOLDER).glob(f"*/{_ACCESS_FILE}"))]


def _read_access(place: Path) -> HubAccess:
    try:
        invitation = msgspec.json.decode((place / _ACCESS_FILE).read_bytes(), type=Invitation)
        data = (place / _ROSTER_FILE).read_bytes()
    except (OSError, msgspec.DecodeError) as error:
        raise WrongUse(
            "replica.access-damaged", f"{place} cannot be read ({error}). Accept the hub's invitation again."
        ) from error
    return HubAccess(place, invitation, parse_roster(data, invitation.authority_pem.encode()))
