"""The texts about tickets that are written to findings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from functions.tickets.entry import Entry, State
from securityhub.events import Finding, FindingsEvent
from securityhub.findings.updates import MAX_NOTE_CHARACTERS, asked_by, truncate

FIELD: Final = "Tickets"
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
MAX_FIELD_CHARACTERS: Final = 1024
_SEPARATOR: Final = "; "
# What this function writes: tracker, ticket, and URL; or the tracker whose ticket is held back.
_OWN_PART: Final = re.compile(r"[A-Za-z]+ (\S+ https?://\S+|held back)")
_WORDS: Final = {State.OPEN: "Ticket opened", State.RESOLVED: "Ticket resolved"}


def fields_to_write(finding: Finding, entries: Mapping[str, Entry]) -> dict[str, str] | None:
    """Return the finding's user-defined fields with the links, or None if the finding already has them.

    An update replaces all fields, so it includes the other fields as the event shows them. Text that others
    wrote into the field follows the links, as far as it fits. A finding in OCSF has no such fields: its links
    are in the table of tickets, and its comment names them.
    """
    if finding.is_ocsf:
        return None
    foreign = [part for part in _parts(finding) if not _OWN_PART.fullmatch(part)]
    value = truncate(_SEPARATOR.join([*_links(entries), *foreign]), MAX_FIELD_CHARACTERS)
    fields = _fields(finding)
    return None if fields.get(FIELD, "") == value else {**fields, FIELD: value}


def has_field(finding: Finding) -> bool:
    """Return whether the finding has the field, whoever wrote it."""
    return FIELD in _fields(finding)


def has_link(finding: Finding, tracker: str, entry: Entry) -> bool:
    """Return whether the event shows the finding with the link to a tracker's ticket."""
    return set(_links({tracker: entry})) <= set(_parts(finding))


def compose_note(
    entries: Mapping[str, Entry],
    *,
    event: FindingsEvent,
    now: datetime,
    request_id: str,
    has_field: bool = True,
) -> str:
    """Return the finding's note, of at most 512 characters: what was done, when, and by what.

    Args:
        entries: The entries that the note describes, by tracker.
        event: The event that was the reason.
        now: The current time.
        request_id: The request ID of Lambda.
        has_field: Whether the links are in the finding's user-defined field, too. Default: True.
    """
    missing = "" if has_field else f" Security Hub refused the user-defined field {FIELD}."
    origin = f"{missing} {now.isoformat(timespec='seconds')} by {asked_by(event)}, request {request_id}."
    news = [
        f"{word}: {_SEPARATOR.join(links)}."
        for state, word in _WORDS.items()
        if (links := _links({name: entry for name, entry in entries.items() if entry.state is state}))
    ]
    if held := _names(entries, State.HELD):
        news.append(
            f"Ticket held back: {held}. The account has reached the limit of tickets for this hour. It is "
            "opened when the limit allows, or when the custom action is pressed."
        )
    if dropped := _names(entries, State.RESOLVED):
        news.append(f"Ticket no longer held back, because the finding is settled: {dropped}.")
    return truncate(truncate(" ".join(news), MAX_NOTE_CHARACTERS - len(origin)) + origin, MAX_NOTE_CHARACTERS)


def status_to_write(finding: Finding, entries: Mapping[str, Entry]) -> str | None:
    """Return NOTIFIED for a NEW finding whose ticket was opened, or None to leave the status unchanged."""
    opened = any(entry.state is State.OPEN for entry in entries.values())
    return "NOTIFIED" if opened and finding.workflow_status == "NEW" else None


def _fields(finding: Finding) -> dict[str, str]:
    return dict(finding.user_defined_fields)


def _parts(finding: Finding) -> list[str]:
    return [part for part in _fields(finding).get(FIELD, "").split(_SEPARATOR) if part.strip()]


def _links(entries: Mapping[str, Entry]) -> list[str]:
    return [
        f"{name} {entry.ticket.id} {entry.ticket.link}" if entry.ticket else f"{name} held back"
        for name, entry in sorted(entries.items())
        if entry.ticket or entry.state is State.HELD
    ]


def _names(entries: Mapping[str, Entry], state: State) -> str:
    """Name the trackers in a state without a ticket."""
    return ", ".join(
        name for name, entry in sorted(entries.items()) if entry.state is state and not entry.ticket
    )
