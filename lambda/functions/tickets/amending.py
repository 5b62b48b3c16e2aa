"""Changes to the record of a ticket that other invocations may change at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from functions.tickets.entry import ChangedMeanwhileError, Entry
from functions.tickets.services import Tickets
from securityhub.events import Finding

_MAX_ATTEMPTS: Final = 10


def amend(tickets: Tickets, finding: Finding, tracker: str, change: Callable[[Entry], Entry | None]) -> bool:
    """Change the record of a ticket as it is now.

    Args:
        tickets: The records.
        finding: The finding.
        tracker: The tracker.
        change: Returns the changed record, or None to leave it as it is. It's asked again whenever another
            invocation has changed the record in the meantime, and not at all if there is none.

    Returns:
        Whether it's changed now.

    Raises:
        ChangedMeanwhileError: Other invocations keep changing it.
    """
    for _ in range(_MAX_ATTEMPTS):
        entry = tickets.load(finding, tracker)
        changed = change(entry) if entry else None
        if changed is None:
            return False
        try:
            tickets.save(finding, tracker, changed, replacing=entry)
        except ChangedMeanwhileError:
            continue
        return True
    raise ChangedMeanwhileError("Other invocations keep changing the record of the ticket")
