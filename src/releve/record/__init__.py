"""The record: what the log's statements say together, kept in a views file that can be deleted and rebuilt.

    Archive.fold_new   events of the log → rows of views.db (fold.py, movements.py, merges.py say how, and are pure)
    Views              rows of views.db → persons, charts, lists, worklists (rows.py)
    rebuild            views made anew; verify_views proves that those at hand equal a rebuild
    capture.py         what people enter at a page → a Draft for the log

One process folds, any number read. The record knows FHIR R4 JSON; it knows no HL7 v2, no socket and no page.
"""

from releve.record.archive import Archive
from releve.record.rebuild import rebuild, verify_views
from releve.record.views import Views

__all__ = ["Archive", "Views", "rebuild", "verify_views"]
