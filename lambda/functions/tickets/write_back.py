"""What is written to a finding about its tickets. Pure text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from functions.tickets.entry import Entry, State
from securityhub.events import Finding, FindingsEvent
from securityhub.findings.updates import MAX_NOTE_CHARACTERS, asked_by, truncate

FIELD: Final = "Tickets"
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
MAX_FIELD_CHARACTERS: Final = 1024
_WORDS: Final = {State.OPEN: "Ticket opened", State.RESOLVED: "Ticket resolved"}


def fields_to_write(finding: Finding, entries: Mapping[str, Entry]) -> dict[str, str] | None:
    """Return the finding's user-defined fields with the links, or None where it has them already.

    An update replaces all of the fields, so those of others are in it as the event shows them.
    """
    links = truncate(_links(entries), MAX_FIELD_CHARACTERS)
    fields = _fields(finding)
    return None if fields.get(FIELD, "") == links else {**fields, FIELD: links}


def has_links(finding: Finding) -> bool:
    """Say whether the finding has the field, as the event shows it."""
    return bool(_fields(finding).get(FIELD))


def compose_note(
    entries: Mapping[str, Entry], *, event: FindingsEvent, now: datetime, request_id: str
) -> str:
    """Return what the finding's note says: what, when and by whom; at most 512 characters."""
    origin = f" {now.isoformat(timespec='seconds')} by {asked_by(event)}, request {request_id}."
    news = [
        f"{word}: {_links(told)}."
        for state, word in _WORDS.items()
        if (told := {name: entry for name, entry in entries.items() if entry.state is state})
    ]
    return truncate(truncate(" ".join(news), MAX_NOTE_CHARACTERS - len(origin)) + origin, MAX_NOTE_CHARACTERS)


def status_to_write(finding: Finding, entries: Mapping[str, Entry]) -> str | None:
    """Return NOTIFIED for a NEW finding whose ticket was opened, or None to leave the status as it is."""
    opened = any(entry.state is State.OPEN for entry in entries.values())
    return "NOTIFIED" if opened and finding.workflow_status == "NEW" else None


def _fields(finding: Finding) -> dict[str, str]:
    present = finding.raw.get("UserDefinedFields")
    return {str(key): str(value) for key, value in present.items()} if isinstance(present, Mapping) else {}


def _links(entries: Mapping[str, Entry]) -> str:
    tickets = {name: entry.ticket for name, entry in sorted(entries.items()) if entry.ticket}
    return "; ".join(f"{name} {ticket.id} {ticket.link}" for name, ticket in tickets.items())
