"""What a reconciliation does when all was compared: it is counted and noted for the page, old records packed."""

from __future__ import annotations

from flows.desk import Desk
from flows.errors import TransientError
from flows.reconciliation.compare import Reconciled
from flows.shown.remembered import note_reconciliation
from flows.tally import Tally

__all__ = ["end"]


def end(desk: Desk, tally: Tally, result: Reconciled) -> None:
    """Pack the records of earlier runs, note the result for the page of the site, and count it all in the run.

    Nothing that was mended is undone by a ledger or a note that fails now: that is one more error of the result.
    """
    for step in (desk.ledger.pack, lambda: note_reconciliation(desk, len(result.left))):
        try:
            step()
        except TransientError as error:
            result.errors.append(error)
    for outcome in result.outcomes:
        tally.settles(outcome)
    tally.errors += result.errors
