"""The texts about tickets that are written to findings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from functions.tickets.deciding import is_told, sentence, status_of
from functions.tickets.entry import Entry, State
from securityhub.events import Finding, FindingsEvent
from securityhub.findings.updates import MAX_NOTE_CHARACTERS, asked_by, truncate

FIELD: Final = "Tickets"
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
MAX_FIELD_CHARACTERS: Final = 1024
_SEPARATOR: Final = "; "
# What this function writes: tracker, ticket, and URL; or the tracker whose ticket is held back.
_OWN_PART: Final = re.compile(r"[A-Za-z]+ (\S+ https?://\S+|held back)")
# By state, and whether the ticket is that of a group, which lists the finding.
_WORDS: Final = {
    (State.OPEN, False): "Ticket opened",
    (State.OPEN, True): "Listed in ticket",
    (State.RESOLVED, False): "Ticket resolved",
    (State.RESOLVED, True): "Struck from ticket",
}


def fields_to_write(
    finding: Finding, entries: Mapping[str, Entry], *, has_new: bool = False
) -> dict[str, str] | None:
    """Return the finding's user-defined fields with the links, or None if the finding already has them.

    With `has_new`, the links are written whatever the event shows. It can show a ticket that lists the
    finding again, and that another invocation has left out since, because it wasn't listed yet.

    An update replaces all fields, so it includes the other fields as the event shows them. Text that others
    wrote into the field follows the links, as far as it fits. A finding in OCSF has no such fields: its links
    are in the table of tickets, and its comment names them.
    """
    if finding.is_ocsf:
        return None
    foreign = [part for part in _parts(finding) if not _OWN_PART.fullmatch(part)]
    value = truncate(_SEPARATOR.join([*_links(entries), *foreign]), MAX_FIELD_CHARACTERS)
    fields = finding.user_defined_fields
    return None if fields.get(FIELD, "") == value and not has_new else {**fields, FIELD: value}


def has_field(finding: Finding) -> bool:
    """Return whether the finding has the field, whoever wrote it."""
    return FIELD in finding.user_defined_fields


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
    left_open: Collection[str] = (),
) -> str:
    """Return the finding's note, of at most 512 characters: what was done, when, and by what.

    Args:
        entries: The entries that the note describes, by tracker.
        event: The event that was the reason.
        now: The current time.
        request_id: The request ID of Lambda.
        has_field: Whether the links are in the finding's user-defined field, too. Default: True.
        left_open: The trackers whose tickets a person has to close. Default: none.
    """
    missing = "" if has_field else f" Security Hub refused the user-defined field {FIELD}."
    origin = f"{missing} {now.isoformat(timespec='seconds')} by {asked_by(event)}, request {request_id}."
    news = decisions_in(entries)
    others = {name: entry for name, entry in entries.items() if not entry.decision}
    unneeded = {
        name: others.pop(name)
        for name in left_open
        if name in others and others[name].state is State.RESOLVED
    }
    if links := _links(unneeded):
        news.append(f"Ticket no longer needed, to be closed by a person: {_SEPARATOR.join(links)}.")
    news += [
        f"{word}: {_SEPARATOR.join(links)}."
        for key, word in _WORDS.items()
        if (
            links := _links(
                {name: one for name, one in others.items() if (one.state, one.group is not None) == key}
            )
        )
    ]
    if held := _names(entries, State.HELD):
        news.append(
            f"Ticket held back: {held}. The account has reached the limit of tickets for this hour. It is "
            "opened when the limit allows, or when the custom action is pressed."
        )
    if dropped := _names(entries, State.RESOLVED):
        news.append(f"Ticket no longer held back, because the finding is settled: {dropped}.")
    return truncate(truncate(" ".join(news), MAX_NOTE_CHARACTERS - len(origin)) + origin, MAX_NOTE_CHARACTERS)


def decisions_in(entries: Mapping[str, Entry]) -> list[str]:
    """Return a sentence for each ticket about which somebody decided in its tracker."""
    return [sentence(name, entry) for name, entry in sorted(entries.items()) if entry.decision]


def status_to_write(finding: Finding, entries: Mapping[str, Entry]) -> str | None:
    """Return what was decided in a tracker, NOTIFIED for a NEW finding whose ticket was opened, or None.

    What the finding says already was written by an earlier attempt. Somebody may have changed the status
    since.

    Args:
        finding: The finding as it is now.
        entries: The entries that it doesn't tell of yet, or no longer does.
    """
    untold = [
        entry for name, entry in entries.items() if entry.decision and not is_told(name, entry, finding)
    ]
    if decided := status_of(untold, finding):
        return decided
    opened = any(entry.state is State.OPEN and not entry.decision for entry in entries.values())
    return "NOTIFIED" if opened and finding.workflow_status == "NEW" else None


def _parts(finding: Finding) -> list[str]:
    return [part for part in finding.user_defined_fields.get(FIELD, "").split(_SEPARATOR) if part.strip()]


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
