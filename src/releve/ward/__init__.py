"""Pages for care: who lies where, a person's chart, notes, admission of somebody unknown; and signing in to them.

    ward_routes   the pages, given everything they stand on
    Accounts      local accounts and sessions (accounts.db)
    Looked        when whom last looked at which record (looked.db)

A page reads the record's views and never the log; what is captured goes through `append`, which returns after the sync,
and is shown back at once. Every read of a record goes into the audit trail.
"""

from releve.ward.accounts import Account, Accounts, NotSignedIn, SignedIn
from releve.ward.looked import Looked
from releve.ward.routes import ward_routes
from releve.ward.station import Append, session_cookie

__all__ = [
    "Account",
    "Accounts",
    "Append",
    "Looked",
    "NotSignedIn",
    "SignedIn",
    "session_cookie",
    "ward_routes",
]
