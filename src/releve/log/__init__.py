"""The event log: the truth of a node. Everything else is a view of it that can be deleted and rebuilt.

    Arrival → Arrivals.keep            bytes as they came, on the disk before they are understood
    Draft  → Log.append → Receipt      one writer thread, group commit, synced before the receipt
    Event  ← Ledger.after              what was kept, in the order this node kept it
    Body                               what an event carries: the raw input and what was understood of it

The log knows no HL7 and no FHIR: bodies are bytes to it. Who may write: only the process that owns the log.
"""

from releve.log.arrivals import Arrival, Arrivals, read_arrivals
from releve.log.event import GROUP, SITE, Body, Draft, Event, Receipt, Statement, decode_body, encode_body
from releve.log.findings import Finding, Findings
from releve.log.ledger import Ledger
from releve.log.verify import verify_log
from releve.log.writer import Log

__all__ = [
    "GROUP",
    "SITE",
    "Arrival",
    "Arrivals",
    "Body",
    "Draft",
    "Event",
    "Finding",
    "Findings",
    "Ledger",
    "Log",
    "Receipt",
    "Statement",
    "decode_body",
    "encode_body",
    "read_arrivals",
    "verify_log",
]
