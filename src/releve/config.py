"""One TOML file → one frozen Config, or a refusal that names the line.

Read once, at the start; nothing changes it afterwards. `sample` writes the commented file that `releve init` leaves.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from releve.errors import WrongUse
from releve.wire.toml import Table, read_toml

NODE_FILE = "node.toml"
ESTATE_FILE = "recovery/estate.toml"
_SITE_ID = re.compile(r"[A-Za-z0-9]{1,16}")
_KINDS = ("note", "admission", "merge", "unmerge")
_HUB_SCHEMES = ("nats", "tls")


@dataclass(frozen=True)
class Listen:
    """An address to listen on; port 0 lets the system choose."""

    host: str
    port: int


@dataclass(frozen=True)
class Tls:
    """Certificate and key of a door, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class HttpDoor:
    listen: Listen
    tls: Tls | None


@dataclass(frozen=True)
class MllpDoorway:
    """The HL7 v2 door.

    idle_s   a connection that says nothing for so long is closed; senders open a new one when they need it
    charset  of senders that leave MSH-18 empty, as Python calls it
    """

    listen: Listen
    tls: Tls | None
    message_bytes_max: int
    connections_max: int
    idle_s: float
    charset: str


@dataclass(frozen=True)
class FeedRule:
    """A feed that is expected: when nothing came for late_after_s it is late, and the page says so by itself."""

    sender: str
    name: str
    late_after_s: float


@dataclass(frozen=True)
class ServiceRule:
    """A service this node watches; a central one that is away raises the degraded banner."""

    id: str
    name: str
    probe: str
    central: bool


@dataclass(frozen=True)
class WriteBack:
    """A system that is told what was captured while it was away.

    sends     kinds of captured event it takes
    forwards  feeds (MSH-3|MSH-4) whose messages it gets too, byte for byte; never its own
    messages_per_s  the most it is sent: a system that just came back must not be pressed down again
    """

    name: str
    host: str
    port: int
    sends: tuple[str, ...]
    forwards: tuple[str, ...]
    messages_per_s: float


@dataclass(frozen=True)
class EstateRule:
    """The estate this node looks at by itself, unit by unit.

    file      an estate file; absent is no fault, then only the services above are watched
    every_s   how often each unit is asked
    commands  its command: probes are run here too; an estate that came from elsewhere must not run programs by itself
    drafts    the first situation report of an outage is drafted here too; for the one node where the crisis cell sits
    """

    file: Path
    every_s: float
    commands: bool
    drafts: bool


@dataclass(frozen=True)
class Config:
    """Everything a node needs to know that is not in its log."""

    folder: Path
    site_id: str
    site_name: str
    zone: ZoneInfo
    production: bool
    http: HttpDoor
    mllp: MllpDoorway
    hubs: tuple[str, ...]
    feeds: tuple[FeedRule, ...]
    services: tuple[ServiceRule, ...]
    writebacks: tuple[WriteBack, ...]
    probe_every_s: float
    estate: EstateRule


def load(folder: Path) -> Config:
    """Read a node's folder.

    raises  WrongUse  no such folder, or a wrong file: the sentence names the line, what was expected, what came
    """
    path = folder / NODE_FILE
    if not path.exists():
        raise WrongUse("config.missing", f"There is no {path}. Make a node with: releve init {folder} --site ID")
    top = read_toml(path)
    top.only("site", "http", "mllp", "hubs", "watch", "estate", "feed", "service", "writeback")
    site = top.table("site")
    site.only("id", "name", "zone", "production")
    site_id = site.text("id")
    if not _SITE_ID.fullmatch(site_id):
        site.refuse("id", f"must be 1 to 16 letters and digits, as it names streams and numbers; found {site_id!r}")
    watch = top.table("watch")
    watch.only("probe_every_s")
    return Config(
        folder=folder,
        site_id=site_id,
        site_name=site.text("name", site_id),
        zone=_zone(site),
        production=site.flag("production", True),
        http=_http(top.table("http"), folder),
        mllp=_mllp(top.table("mllp"), folder),
        hubs=_hubs(top.table("hubs")),
        feeds=tuple(_feed(table) for table in top.tables("feed")),
        services=tuple(_service(table) for table in top.tables("service")),
        writebacks=tuple(_writeback(table) for table in top.tables("writeback")),
        probe_every_s=_positive(watch, "probe_every_s", 5.0),
        estate=_estate(top.table("estate"), folder),
    )


def parse_listen(text: str) -> Listen | None:
    """Return "HOST:PORT" (or "[::1]:PORT") as an address, None when it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65_535:
        return None
    return Listen(host.strip("[]"), int(port))


def _zone(site: Table) -> ZoneInfo:
    name = site.text("zone", "Europe/Paris")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        site.refuse("zone", f"must be a time zone such as Europe/Paris; found {name!r}")


def _listen(table: Table, default: str) -> Listen:
    text = table.text("listen", default)
    address = parse_listen(text)
    if address is None:
        table.refuse("listen", f"must be HOST:PORT, such as {default}; found {text!r}")
    return address


def _tls(table: Table, folder: Path) -> Tls | None:
    if "certificate" not in table and "key" not in table:
        return None
    tls = Tls(folder / table.text("certificate"), folder / table.text("key"))
    for key, path in (("certificate", tls.certificate), ("key", tls.key)):
        if not path.exists():
            table.refuse(key, f"names {path}, which is not there")
    return tls


def _positive(table: Table, key: str, default: float) -> float:
    value = table.number(key, default)
    if value <= 0:
        table.refuse(key, f"must be more than 0; found {value:g}")
    return value


def _http(table: Table, folder: Path) -> HttpDoor:
    table.only("listen", "certificate", "key")
    return HttpDoor(_listen(table, "127.0.0.1:8080"), _tls(table, folder))


def _mllp(table: Table, folder: Path) -> MllpDoorway:
    table.only("listen", "certificate", "key", "message_mb_max", "connections_max", "idle_s", "charset")
    return MllpDoorway(
        listen=_listen(table, "127.0.0.1:2575"),
        tls=_tls(table, folder),
        message_bytes_max=int(_positive(table, "message_mb_max", 20) * 2**20),
        connections_max=table.count("connections_max", 512),
        idle_s=_positive(table, "idle_s", 3600),
        charset=_charset(table),
    )


def _charset(table: Table) -> str:
    name = table.text("charset", "utf-8")
    try:
        return codecs.lookup(name).name
    except LookupError:
        table.refuse("charset", f"must be a character set such as utf-8 or iso8859-15; found {name!r}")


def _hubs(table: Table) -> tuple[str, ...]:
    table.only("urls")
    urls = table.texts("urls", [])
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in _HUB_SCHEMES or not parts.hostname:
            table.refuse("urls", f"must be addresses such as tls://hub-a.example:4222; found {url!r}")
    return tuple(urls)


def _feed(table: Table) -> FeedRule:
    table.only("sender", "name", "late_after_s")
    sender = table.text("sender")
    return FeedRule(sender, table.text("name", sender), _positive(table, "late_after_s", 300))


def _service(table: Table) -> ServiceRule:
    table.only("id", "name", "probe", "central")
    identity, probe = table.text("id"), table.text("probe")
    if "://" not in probe:
        table.refuse("probe", f"must be an address such as mllp://10.0.0.5:2575 or https://…; found {probe!r}")
    return ServiceRule(identity, table.text("name", identity), probe, table.flag("central", True))


def _estate(table: Table, folder: Path) -> EstateRule:
    table.only("file", "every_s", "commands", "drafts")
    path = folder / table.text("file", ESTATE_FILE)
    if table.text("file", ESTATE_FILE) != ESTATE_FILE and not path.exists():
        table.refuse("file", f"names {path}, which is not there")
    every_s = _positive(table, "every_s", 20.0)
    return EstateRule(path, every_s, table.flag("commands", False), table.flag("drafts", False))


def _writeback(table: Table) -> WriteBack:
    table.only("name", "to", "sends", "forwards", "messages_per_s")
    target = table.text("to")
    address = parse_listen(target.removeprefix("mllp://"))
    if address is None:
        table.refuse("to", f"must be mllp://HOST:PORT; found {target!r}")
    sends = table.texts("sends", list(_KINDS))
    for kind in sends:
        if kind not in _KINDS:
            table.refuse("sends", f"may hold {', '.join(_KINDS)}; found {kind!r}")
    return WriteBack(
        name=table.text("name"),
        host=address.host,
        port=address.port,
        sends=tuple(sends),
        forwards=tuple(table.texts("forwards", [])),
        messages_per_s=_positive(table, "messages_per_s", 20),
    )


def check_site_id(site_id: str) -> str:
    """Return a site id that can be used.

    raises  WrongUse  it cannot
    """
    if not _SITE_ID.fullmatch(site_id):
        raise WrongUse("config.site-id", f"A site id is 1 to 16 letters and digits, such as H07; found {site_id!r}.")
    return site_id


def sample(site_id: str, name: str, hubs: tuple[str, ...] = (), *, http: str = "", mllp: str = "") -> str:
    """Return the text of a new node.toml, commented, working as it is."""
    urls = ", ".join(f'"{url}"' for url in hubs)
    return f"""\
# Relève node. Every line that is commented out shows its default. A wrong line is refused by its number at the start.

[site]
id = "{site_id}"             # 1 to 16 letters and digits; never change it: it signs this node's history
name = {_quoted(name)}
# zone = "Europe/Paris"    # HL7 v2 times without an offset are local times of this zone
production = false         # true on the day it serves patients: test messages (MSH-11 = T) are then kept, not charted

[http]                     # pages for staff, /fhir/, /status, /healthz, /metrics
listen = "{http or "127.0.0.1:8080"}"  # loopback until told otherwise
# certificate = "keys/http.pem"   # with a key: HTTPS; outside loopback do not go without
# key = "keys/http.key"

[mllp]                     # HL7 v2: point your feeds here
listen = "{mllp or "127.0.0.1:2575"}"
# message_mb_max = 20
# connections_max = 512
# idle_s = 3600
# charset = "utf-8"        # of senders that leave MSH-18 empty; iso8859-15 is common
# certificate = "keys/mllp.pem"
# key = "keys/mllp.key"

[hubs]                     # the two depots through which hospitals exchange their histories
urls = [{urls}]

# [watch]
# probe_every_s = 5

# [estate]                 # the hosting centre, unit by unit, as this hospital sees it
# file = "recovery/estate.toml"
# every_s = 20             # how often each unit is asked
# commands = false         # true: run its command: probes here too; only for an estate file that you wrote yourselves
# drafts = false           # true: at the first loss a situation report is drafted here; at one node, the crisis cell's

# [[feed]]                 # a feed that is expected: late after so many seconds without a message
# sender = "LAB|{site_id}"       # MSH-3|MSH-4 as the sender writes them
# name = "Laboratoire"
# late_after_s = 300

# [[service]]              # a service this node watches; a central one that is away raises the red banner
# id = "dossier"
# name = "Dossier patient"
# probe = "mllp://10.0.0.5:2575"
# central = true

# [[writeback]]            # a system that gets what was captured while it was away
# name = "dossier"
# to = "mllp://10.0.0.5:2576"
# sends = ["note", "admission", "merge", "unmerge"]   # what was captured on this node's pages
# forwards = ["LAB|{site_id}"]                            # local feeds whose messages it gets too, as they came
# messages_per_s = 20
"""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
