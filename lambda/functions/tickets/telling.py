"""Writes to findings what became of their tickets, once, and one invocation at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from functions.tickets.amending import amend
from functions.tickets.calling import alone
from functions.tickets.deciding import concluded, is_taken_back
from functions.tickets.desk import group_desk_of
from functions.tickets.entry import Entry, Sighting, State
from functions.tickets.services import Invocation, Services
from functions.tickets.write_back import compose_note, fields_to_write, has_link, status_to_write
from invocation.once import WorkInProgressError
from securityhub.events import CustomActionEvent, Finding, FindingsEvent, MalformedEventError
from securityhub.findings.turns import Update, write_in_turns
from securityhub.findings.updates import FIELDS, RequestRefusedError, with_earlier_note

_TOLD_STATES: Final = (State.HELD, State.OPEN, State.DECIDED, State.RESOLVED)


class NotWrittenError(Exception):
    """Security Hub didn't update a finding."""


class _NotShownYetError(WorkInProgressError):
    """Security Hub doesn't show an update of a finding yet that an event has shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What there is to write because of an event.

    Attributes:
        event: The event.
        services: The services to use.
        invocation: The invocation.
    """

    event: FindingsEvent
    services: Services
    invocation: Invocation

    def tell(self, sighting: Sighting) -> None:
        """Write to the finding what it doesn't say yet, once, and one invocation at a time.

        Two invocations at the same time could each write links without those of the other.
        """
        finding = sighting.finding
        if not self._untold(sighting, self.services.tickets.load_all(finding)):
            return
        key = {"finding": finding.digest, "tells": "tickets"}
        alone(self.services.once, key, lambda: self._write(sighting))

    def _untold(self, sighting: Sighting, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return what the finding doesn't say yet, or no longer says when an analyst presses the action."""
        is_press = isinstance(self.event, CustomActionEvent)
        return {
            name: entry
            for name, entry in entries.items()
            if (entry.state in _TOLD_STATES and not entry.told)
            or (is_press and entry.state is State.OPEN and _lacks_link(sighting, name, entry))
        }

    def _write(self, sighting: Sighting) -> None:
        finding = sighting.finding
        entries = self.services.tickets.load_all(finding)
        news = self._untold(sighting, entries)
        if not news:
            return
        if any(entry.state is State.DECIDED for entry in news.values()):
            # What a decision does depends on the finding as it is now.
            finding = self.services.security_hub.get_finding(finding) or finding
            _require_newest(finding, news)
        changed = dict(news)
        unlinked = False
        for item in write_in_turns(
            [finding],
            compose=lambda now: self._update(now, changed, entries),
            note_updated_by=self.invocation.function_arn,
            security_hub=self.services.security_hub,
            turns=self.services.turns,
        ):
            if not item.left_out:
                raise NotWrittenError(f"{item.error_code}: {item.error_message}")
            unlinked = FIELDS in item.left_out
        for name, entry in changed.items():
            told = replace(entry, told=True, unlinked=unlinked)
            if news[name].state is State.DECIDED:
                told = self._in_group(name, told, replace(sighting, finding=finding))
            self._mark_told(finding, name, news[name], told)

    def _in_group(self, tracker: str, entry: Entry, sighting: Sighting) -> Entry:
        """Let a finding leave or join its group as was decided, and return the record to save."""
        known = self.services.tracker_named(tracker)
        if entry.group is None or known is None:
            return entry
        desk = group_desk_of(entry, entry.group, sighting, known, self.services, self.invocation)
        return desk.conclude()

    def _update(self, now: Finding, news: dict[str, Entry], entries: Mapping[str, Entry]) -> Update:
        """Return what to write, given the finding as it is now, and conclude the decisions among the news."""
        if status_to_write(now, news) == "NOTIFIED":
            now = self._unless_changed(now)
        time = self.invocation.now()
        for name, entry in news.items():
            news[name] = concluded(name, entry, now, time) if entry.state is State.DECIDED else entry
        resolves = any(entry.state is State.RESOLVED for entry in news.values())
        # Several invocations can resolve a finding's tickets. The last note replaces the others.
        told = {
            name: news.get(name, entry)
            for name, entry in entries.items()
            if name in news or (resolves and entry.state is State.RESOLVED)
        }
        has_new = any(entry.state is State.OPEN and not entry.told for entry in news.values())
        note, note_without_fields = (
            with_earlier_note(
                compose_note(
                    told,
                    event=self.event,
                    now=time,
                    request_id=self.invocation.request_id,
                    has_field=has_field,
                    left_open=self.services.left_open,
                ),
                now,
                author=self.invocation.function_arn,
            )
            for has_field in (True, False)
        )
        return Update(
            workflow_status=status_to_write(
                now, {name: entry for name, entry in news.items() if not entry.told}
            ),
            note_text=note,
            note_without_fields=note_without_fields,
            user_defined_fields=fields_to_write(now, entries, has_new=has_new),
            # A status that was decided on in a tracker is taken back there.
            takes_back=now.workflow_status if any(is_taken_back(one) for one in news.values()) else None,
        )

    def _unless_changed(self, finding: Finding) -> Finding:
        """Return a finding that is to become NOTIFIED with the status that it was given since the event.

        If Security Hub refuses to say, because it allows only three requests a second, the event counts.
        """
        try:
            current = self.services.security_hub.get_finding(finding)
        except (RequestRefusedError, MalformedEventError):
            current = None
        if current is None or current.workflow_status == finding.workflow_status:
            return finding
        return replace(finding, workflow_status=current.workflow_status, written_note=current.note)

    def _mark_told(self, finding: Finding, tracker: str, before: Entry, told: Entry) -> None:
        def mark(entry: Entry) -> Entry | None:
            if (entry.generation, entry.state) != (before.generation, before.state):
                return None  # it has changed, and that will be written as well
            if entry.state is State.DECIDED:
                return told
            return replace(entry, told=True, unlinked=told.unlinked)

        amend(self.services.tickets, finding, tracker, mark)


def _require_newest(finding: Finding, entries: Mapping[str, Entry]) -> None:
    """Make sure that a decision isn't concluded by a finding as it was, which may have failed since."""
    seen = max(entry.seen[0] for entry in entries.values())
    if finding.updated_at is not None and finding.updated_at < seen:
        raise _NotShownYetError("Security Hub does not show the latest update of the finding yet")


def _lacks_link(sighting: Sighting, tracker: str, entry: Entry) -> bool:
    """Return whether the finding lost the link to a ticket. An older event shows it before it had one."""
    return sighting.moment > entry.seen and not has_link(sighting.finding, tracker, entry)
