"""Probes that speak the protocol: a server that accepts a connection and stays silent is down.

    probe(url, timeout_s) → Reading      one fresh question, one answer, never an exception for what the other side does

Each protocol has one file with a pure core: what is asked, and what an answer means. `dialogue` carries bytes for the
stream protocols, `datagram` for those over UDP; nothing else here touches a socket.
"""

from releve.recovery.probe.ask import probe
from releve.recovery.probe.reading import Reading, Verdict

__all__ = ["Reading", "Verdict", "probe"]
