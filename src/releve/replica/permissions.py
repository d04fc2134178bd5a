"""The configuration of a hub's nats-server: text from the list of sites. No file is read or written here.

Each site is named with everything it may do, stream by stream: EV_* is no wildcard to NATS, and whatever is not listed
is refused.
Source: facts on replication, section 3.2; docs.nats.io, "Configuring NATS Server".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from releve.log import GROUP
from releve.replica.enrolment import EPOCHS_AHEAD, EPOCHS_MAX, Site
from releve.replica.names import CHANNELS, DIGEST, ROSTER, Channel, hint, inbox

STORE_KEY_VARIABLE = "RELEVE_HUB_STORE_KEY"

#: Bodies are at most BODY_BYTES_MAX; the rest is the event's own fields and NATS headers.
PAYLOAD_BYTES_MAX = 2**20

_TEMPLATE = """\
# Written by "releve hub" from sites.json; changes made here are lost.
server_name: {name}
listen: {listen}
max_payload: {payload_bytes_max}
ping_interval: "10s"
ping_max: 2
write_deadline: "10s"
log_file: {log_file}
logfile_size_limit: 10MB
logfile_max_num: 3
tls {{
  cert_file: {certificate}
  key_file: {certificate}
  ca_file: {authority}
  verify: true
  handshake_first: true
  timeout: 5
}}
jetstream {{
  store_dir: {store}
  domain: {name}
  sync_interval: always
  max_file: {store_bytes_max}
  max_mem: 64MB
  cipher: chachapoly
  key: ${key_variable}
}}
accounts {{
  REL: {{
    jetstream: enabled
    users: [
{users}
    ]
  }}
  SYS: {{}}
}}
system_account: SYS
"""


def render_conf(
    folder: Path, name: str, listen: str, steward_nkey: str, sites: Sequence[Site], *, store_bytes_max: int
) -> str:
    """Return the whole configuration of a hub's server."""
    users = [f"      {{ nkey: {steward_nkey} }}", *(_user(site, sites) for site in sites)]
    return _TEMPLATE.format(
        name=json.dumps(name),
        listen=json.dumps(listen),
        payload_bytes_max=PAYLOAD_BYTES_MAX,
        log_file=json.dumps(str(folder / "server.log")),
        certificate=json.dumps(str(folder / "keys" / "server.pem")),
        authority=json.dumps(str(folder / "keys" / "ca.pem")),
        store=json.dumps(str(folder / "store")),
        store_bytes_max=store_bytes_max,
        key_variable=STORE_KEY_VARIABLE,
        users="\n".join(users),
    )


def epochs_open(site: Site) -> range:
    """Return the epochs a site may write in: those it had, and the next ones in advance."""
    return range(1, min(site.epoch + EPOCHS_AHEAD, EPOCHS_MAX) + 1)


def publishes(site: Site, sites: Sequence[Site]) -> list[str]:
    """Return every subject a site may publish on."""
    allowed = [hint(site.site)]
    for epoch in epochs_open(site):
        for name in CHANNELS:
            channel = Channel(site.site, epoch, name)
            allowed += [
                channel.subject,
                f"$JS.API.STREAM.INFO.{channel.stream}",
                f"$JS.API.DIRECT.GET.{channel.stream}",
            ]
    for other in sites:
        if other.site != site.site:
            allowed += [
                f"$JS.API.DIRECT.GET.{Channel(other.site, epoch, GROUP).stream}" for epoch in epochs_open(other)
            ]
    return allowed


def subscribes(site: Site) -> list[str]:
    """Return every subject a site may listen on."""
    return [f"{inbox(site.site)}.>", DIGEST, ROSTER, hint("*")]


def _user(site: Site, sites: Sequence[Site]) -> str:
    return (
        f"      {{ nkey: {site.nkey}, permissions: {{\n"
        f"        publish: {{ allow: {json.dumps(publishes(site, sites))} }},\n"
        f"        subscribe: {{ allow: {json.dumps(subscribes(site))} }} }} }}"
    )
