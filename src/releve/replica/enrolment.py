"""A hub's side of enrolment: its folder, its authority, the sites it lets in. Knows no socket.

    HUBDIR/hub.json          name and address
    HUBDIR/keys/             authority, server certificate, the steward's credential, the key of the store: 0600
    HUBDIR/sites.json        who may come in (version, nkey, log key, epoch)
    HUBDIR/roster.json       the same for everybody to read: signed, no nkeys
    HUBDIR/invitations/      one file a site, 0600; delete it once the site has it

Source: facts on replication, sections 3.2 and 7.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import nkeys

from releve.errors import Refused, StoreUnable, WrongUse
from releve.replica.access import Invitation, Request
from releve.replica.authority import Authority, hosts_of, make_authority
from releve.replica.keyfile import alone, write_private, write_public
from releve.replica.names import check_site
from releve.replica.roster import Member, Roster, encode_roster

STEWARD = "steward"
_HUB_FILE = "hub.json"
_SITES_FILE = "sites.json"
_ROSTER_FILE = "roster.json"
#: An epoch is a disk lost while a hub was silent; a site that asks for more is broken or hostile.
EPOCHS_MAX = 64


class HubSettings(msgspec.Struct, frozen=True):
    """How a hub is called and reached: url is tls://host:port as sites see it."""

    name: str
    url: str


class Site(msgspec.Struct, frozen=True):
    """A site that may come in.

    nkey   public half of its credential
    epoch  the highest it has opened
    """

    site: str
    name: str
    nkey: str
    public_key: str
    epoch: int = 1


class Sites(msgspec.Struct, frozen=True):
    """Every site of a hub; version grows with each change of its members."""

    version: int = 0
    sites: tuple[Site, ...] = ()


def create_hub(folder: Path, host: str, port: int, *, at: datetime, name: str = "") -> HubSettings:
    """Make a hub's folder, or see that an old one is whole and its certificate good for this host.

    name     letters, digits, hyphens; the folder's name when not given
    raises   WrongUse, StoreUnable
    """
    settings = _read_settings(folder)
    fresh_name = name or (settings.name if settings else "") or _name_of(folder)
    settings = HubSettings(check_site(fresh_name), f"tls://{_bracketed(_seen_from_outside(host))}:{port}")
    keys = folder / "keys"
    try:
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnable("hub.unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    if not (keys / "ca.pem").exists():
        authority = make_authority(f"Releve hub {settings.name}", at=at)
        write_private(keys / "ca.key", authority.key_pem)
        write_public(keys / "ca.pem", authority.certificate_pem)
    authority = read_authority(folder)
    hosts = {"127.0.0.1", "::1", "localhost", _seen_from_outside(host)}
    server = keys / "server.pem"
    if not server.exists() or not hosts <= hosts_of(server.read_bytes()):
        known = hosts_of(server.read_bytes()) if server.exists() else set()
        write_private(server, b"".join(authority.issue(settings.name, sorted(hosts | known), at=at)))
    if not (keys / "steward.pem").exists():
        write_private(keys / "steward.seed", _new_seed())
        write_private(keys / "steward.pem", b"".join(authority.issue(STEWARD, (), at=at)))
    if not (keys / "store.key").exists():
        write_private(keys / "store.key", os.urandom(32).hex().encode())
    if not (folder / _ROSTER_FILE).exists():
        write_public(folder / _ROSTER_FILE, encode_roster(Roster(settings.name, 0), authority))
    write_public(folder / _HUB_FILE, msgspec.json.encode(settings))
    return settings


def read_settings(folder: Path) -> HubSettings:
    """Return how a hub is called and reached.

    raises  WrongUse  the folder is no hub's
    """
    settings = _read_settings(folder)
    if settings is None:
        raise WrongUse("hub.missing", f'{folder} holds no hub. "releve hub {folder} --listen HOST:PORT" makes one.')
    return settings


def enrol(folder: Path, requests: Sequence[Request], *, at: datetime, url: str = "") -> list[Path]:
    """Let sites in and return their invitations, in order. A running hub takes them up within a second.

    A site that is in already gets a new invitation, and its old one loses its force.

    url      as the sites see this hub, when it differs from what it listens on
    raises   Refused   a site is in with another log key; nobody was enrolled
    """
    settings = read_settings(folder)
    authority = read_authority(folder)
    with alone(folder):
        held = read_sites(folder)
        sites = {site.site: site for site in held.sites}
        seeds: list[bytes] = []
        for request in requests:
            old = sites.get(request.site)
            if old is not None and old.public_key != request.public_key:
                raise Refused(
                    "hub.other-key",
                    f"Site {request.site} is enrolled at {settings.name} with another log key. Every node holds its "
                    "history under that key: restore it from its backup, or enrol the new node under an id of its own.",
                )
            seeds.append(_new_seed())
            nkey = public_nkey(seeds[-1])
            sites[request.site] = Site(request.site, request.name, nkey, request.public_key, old.epoch if old else 1)
        roster = _keep_sites(folder, Sites(held.version + 1, tuple(sites.values())), settings, authority)
    return [
        _invite(folder, request.site, seed, roster, HubSettings(settings.name, url or settings.url), authority, at)
        for request, seed in zip(requests, seeds, strict=True)
    ]


def expel(folder: Path, site: str) -> None:
    """Shut a site out: its connection is cut within a second, its history stays.

    raises  WrongUse  no such site is enrolled
    """
    settings, authority = read_settings(folder), read_authority(folder)
    with alone(folder):
        held = read_sites(folder)
        left = tuple(member for member in held.sites if member.site != site)
        if len(left) == len(held.sites):
            raise WrongUse("hub.no-site", f"No site {site} is enrolled at {settings.name}. Nothing was changed.")
        _keep_sites(folder, Sites(held.version + 1, left), settings, authority)


def open_epoch(folder: Path, site: str, epoch: int) -> bool:
    """Note that a site has opened a new epoch, so that its streams and permissions follow; returns False if refused."""
    with alone(folder):
        held = read_sites(folder)
        known = next((member for member in held.sites if member.site == site), None)
        if known is None or not known.epoch < epoch <= min(known.epoch + EPOCHS_AHEAD, EPOCHS_MAX):
            return False
        risen = (msgspec.structs.replace(m, epoch=epoch) if m.site == site else m for m in held.sites)
        write_private(folder / _SITES_FILE, msgspec.json.encode(Sites(held.version, tuple(risen))))
    return True


#: Epochs whose streams a site may already write to, beyond the one it is in.
EPOCHS_AHEAD = 2


def read_sites(folder: Path) -> Sites:
    """Return who may come in; nobody when no site was enrolled yet.

    raises  WrongUse  the file is damaged
    """
    path = folder / _SITES_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sites)
    except FileNotFoundError:
        return Sites()
    except msgspec.DecodeError as error:
        raise WrongUse("hub.sites-damaged", f"{path} is damaged: {error}. Bring it back from a backup.") from error


def sites_stamp(folder: Path) -> tuple[int, int]:
    """Return something that changes when the list of sites is replaced; cheap enough to poll."""
    try:
        found = (folder / _SITES_FILE).stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)


def read_roster_bytes(folder: Path) -> bytes:
    """Return the signed roster as it is published."""
    return (folder / _ROSTER_FILE).read_bytes()


def read_authority(folder: Path) -> Authority:
    """Return the hub's authority, key included.

    raises  WrongUse  its files are not there or damaged
    """
    keys = folder / "keys"
    try:
        return Authority((keys / "ca.pem").read_bytes(), (keys / "ca.key").read_bytes())
    except (OSError, ValueError) as error:
        raise WrongUse("hub.authority", f"The authority of {folder} cannot be read from {keys}: {error}.") from error


def steward_tls(folder: Path) -> ssl.SSLContext:
    """Return the context in which the steward reaches the server beside it."""
    context = ssl.create_default_context(cafile=folder / "keys" / "ca.pem")
    context.load_cert_chain(folder / "keys" / "steward.pem")
    return context


def public_nkey(seed: bytes) -> str:
    """Return the public half of an nkey."""
    public: bytes = nkeys.from_seed(bytearray(seed)).public_key
    return public.decode()


def _keep_sites(folder: Path, sites: Sites, settings: HubSettings, authority: Authority) -> bytes:
    members = tuple(Member(site.site, site.name, site.public_key) for site in sites.sites)
    roster = encode_roster(Roster(settings.name, sites.version, members), authority)
    write_public(folder / _ROSTER_FILE, roster)
    write_private(folder / _SITES_FILE, msgspec.json.encode(sites))
    return roster


def _invite(
    folder: Path, site: str, seed: bytes, roster: bytes, hub: HubSettings, authority: Authority, at: datetime
) -> Path:
    certificate, key = authority.issue(site, (), at=at)
    invitation = Invitation(
        hub=hub.name,
        url=hub.url,
        site=site,
        authority_pem=authority.certificate_pem.decode(),
        certificate_pem=certificate.decode(),
        key_pem=key.decode(),
        nkey_seed=seed.decode(),
        roster=roster.decode(),
    )
    return write_private(folder / "invitations" / f"{site}.json", msgspec.json.encode(invitation))


def _read_settings(folder: Path) -> HubSettings | None:
    path = folder / _HUB_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=HubSettings)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise WrongUse("hub.missing", f"{folder} is not a folder.") from error
    except msgspec.DecodeError as error:
        raise WrongUse(
            "hub.damaged", f"{path} is damaged: {error}. Delete it; the next start writes it anew."
        ) from error


def _name_of(folder: Path) -> str:
    kept = "".join(
        letter for letter in folder.resolve().name if letter.isascii() and (letter.isalnum() or letter == "-")
    )
    return kept.lstrip("-")[:32] or "hub"


def _seen_from_outside(host: str) -> str:
    """Return the name sites use for a hub that listens on every address of its machine."""
    return os.uname().nodename if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not bound


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _new_seed() -> bytes:
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed
