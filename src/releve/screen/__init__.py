"""What every page shares: the sheet it is drawn on, its words in two languages, and the state of the centre above it.

    Screen      the look of this node: who is signed in, which language, the degraded banner, the security headers
    Pages       the templates of one room (ward, board), rendered by the screen
    Catalogue   the texts of one language, folded into the templates when they are compiled
    Written     dates, ages and numbers as people read them
    Degraded    what the banner says, computed from measured states

The room knows no patient, no log and no SQL. The ward and the board stand on it and do not know each other.
"""

from releve.screen.catalogue import Catalogue, read_catalogue
from releve.screen.degraded import Degraded, ServiceState, degraded
from releve.screen.screen import LANGUAGES, Pages, Screen, Site, Visitor
from releve.screen.written import Written, sender_words

__all__ = [
    "LANGUAGES",
    "Catalogue",
    "Degraded",
    "Pages",
    "Screen",
    "ServiceState",
    "Site",
    "Visitor",
    "Written",
    "degraded",
    "read_catalogue",
    "sender_words",
]
