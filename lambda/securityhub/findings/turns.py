"""Writing to a finding in turns, so that no function of this app overwrites what another has just written.

Security Hub has no conditional write, and it can take minutes until it shows an update. So the functions
share a DynamoDB table: a function that writes to a finding has a lease on it, and leaves behind what it wrote
for the function that comes next. Reading the finding instead would not show what was written just before, and
GetFindings allows only three requests a second.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from invocation.clients import create_client
from invocation.environment import Environment
from invocation.once import LEASE_SECONDS, REMEMBERED_SECONDS, Lease, Renewing, Store, renewing_in_background
from invocation.work_table import WorkTable
from securityhub.events import Finding, Note
from securityhub.findings.updates import (
    MAX_NOTE_CHARACTERS,
    FindingsUpdater,
    NotUpdated,
    truncate,
    write_to_findings,
)

# The turn of a function that was interrupted lasts for that long.
_PATIENCE_SECONDS: Final = LEASE_SECONDS + 5
_PAUSE_SECONDS: Final = 0.5
_WRITTEN: Final = "written"
# As constructs/securityhub_actions/suppression_rule.py makes them, with the Region, the stack, a key, and the
# digest of a filter, which those of earlier versions don't have.
_MARKER: Final = re.compile(r"securityhub-actions/[a-z0-9-]+/[A-Za-z0-9-]+/[0-9a-f]{8}(\.[0-9a-f]{8})?")
_WRITTEN_V2: Final = "written-v2"


class TurnStore(Store, Protocol):
    """Where leases are kept, and what was written to findings. `WorkTable` describes the methods."""

    def recall(self, key: str, *, now: float) -> Mapping[str, Any] | None:
        """Return what is kept under a key."""

    def keep(self, key: str, result: Mapping[str, Any], *, expires: float) -> None:
        """Keep something under a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What to write to a finding.

    Attributes:
        workflow_status: The new workflow status; None leaves it unchanged.
        note_text: The note.
        user_defined_fields: All user-defined fields; None leaves them unchanged.
        note_without_fields: The note if the fields are refused; None for the same.
        takes_back: The workflow status that the update is to replace although it weighs more; None for none.
    """

    workflow_status: str | None
    note_text: str
    user_defined_fields: Mapping[str, str] | None = None
    note_without_fields: str | None = None
    takes_back: str | None = None


def write_in_turns(
    findings: Sequence[Finding],
    *,
    compose: Callable[[Finding], Update | None],
    note_updated_by: str,
    security_hub: FindingsUpdater,
    turns: Turns | None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[NotUpdated]:
    """Write to findings what each needs as it is now, while no other function of this app writes to them.

    A suppression since the event stays, because an analyst decided on it. So does RESOLVED where NOTIFIED was
    to be written: what is resolved needs nobody's attention.

    Args:
        findings: Distinct findings, as the event shows them.
        compose: Returns what to write, given the finding with what the app has written to it since the event.
            None for nothing: by now, that's up to another function or event.
        note_updated_by: The author of the notes.
        security_hub: Where to write.
        turns: The turns that the functions of this app share; None if no other one writes.
        sleep: Waits for that many seconds between attempts.

    Returns:
        What was not updated in the end, and why.
    """
    with turns.take(findings) if turns else nullcontext([_Turn(one) for one in findings]) as taken:
        updates = [
            (turn, *keeping_marker(_respecting(update, turn), turn.now, author=note_updated_by))
            for turn in taken
            if (update := compose(turn.now)) is not None
        ]
        _announce(updates)
        groups: list[tuple[tuple[Update, str], list[Finding]]] = []
        for turn, update, author in updates:
            same = next((some for one, some in groups if one == (update, author)), None)
            if same is None:
                groups.append(((update, author), same := []))
            same.append(turn.now)
        not_updated = [
            one
            for (update, author), some in groups
            for one in write_to_findings(
                some,
                security_hub=security_hub,
                workflow_status=update.workflow_status,
                note_text=update.note_text,
                note_updated_by=author,
                user_defined_fields=update.user_defined_fields,
                note_without_fields=update.note_without_fields,
                sleep=sleep,
            )
        ]
        failed = {item.finding.identity for item in not_updated if not item.left_out}
        for turn in taken:
            if turn.now.identity in failed:
                turn.retract()
    got = {turn.now.identity for turn in taken}
    return [*not_updated, *(_busy(one) for one in findings if one.identity not in got)]


def _announce(updates: Sequence[tuple[_Turn, Update, str]]) -> None:
    for position, (turn, update, author) in enumerate(updates):
        try:
            turn.announce(update, author)
        except Exception:
            # Nothing is written yet, and now nothing will be.
            for announced, *_ in updates[:position]:
                with suppress(Exception):
                    announced.retract()
            raise


class Turns:
    """The turns of the functions that write to findings."""

    def __init__(
        self,
        store: TurnStore,
        *,
        clock: Callable[[], float] = time.time,
        renewing: Renewing = renewing_in_background,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Share turns through a store.

        Args:
            store: Where leases are kept, and what was written.
            clock: Returns the current time in seconds since the epoch. Default: the system's clock.
            renewing: Calls a function from time to time within its context. Default: in the background.
            sleep: Waits for that many seconds while another function has its turn.
        """
        self._store = store
        self._clock = clock
        self._renewing = renewing
        self._sleep = sleep

    @classmethod
    def from_environment(cls, environment: Environment) -> Turns | None:
        """Share turns through the DynamoDB table `FINDING_TURNS_TABLE`; None if it isn't set."""
        name = environment.get("FINDING_TURNS_TABLE")
        return cls(WorkTable(create_client("dynamodb"), name)) if name else None

    def note_in_cspm(self, finding: Finding) -> str | None:
        """Return what was last written to the finding of Security Hub CSPM about the same issue.

        None if nothing was in the last 24 hours.
        """
        kept = self._store.recall(f"{_WRITTEN}#{finding.digest}", now=self._clock())
        return str(kept["note"]) if kept else None

    def last_comment(self, finding: Finding) -> str | None:
        """Return the note that `remember_comment` last remembered for a finding, within 24 hours."""
        kept = self._store.recall(f"commented#{finding.digest}", now=self._clock())
        return str(kept["note"]) if kept else None

    def remember_comment(self, finding: Finding, note: str) -> None:
        """Remember that a note in Security Hub CSPM was copied to the finding of the new Security Hub."""
        expires = self._clock() + REMEMBERED_SECONDS
        self._store.keep(f"commented#{finding.digest}", {"note": note}, expires=expires)

    @contextmanager
    def take(self, findings: Sequence[Finding]) -> Iterator[list[_Turn]]:
        """Let nobody else write to findings within the context.

        Yields:
            A turn for each finding, except for those to which another function still writes after
            `LEASE_SECONDS`.
        """
        leases: list[Lease] = []
        until = self._clock() + _PATIENCE_SECONDS

        def renew() -> bool:
            for lease in leases:
                lease.renew()
            return True

        try:
            with self._renewing(renew):
                # In one order, so that no two functions wait for each other.
                ordered = sorted(findings, key=lambda one: one.digest)
                yield [turn for one in ordered if (turn := self._wait_for(one, until, leases))]
        finally:
            for lease in leases:
                lease.release()

    def _wait_for(self, finding: Finding, until: float, leases: list[Lease]) -> _Turn | None:
        lease = Lease(self._store, f"turn#{finding.digest}", clock=self._clock)
        while lease.claim() is not None:
            if self._clock() >= until:
                return None
            self._sleep(_PAUSE_SECONDS)
        leases.append(lease)
        return _SharedTurn(finding, lease, self._store, self._clock)


class _Turn:
    """The turn to write to one finding, where no other function writes.

    Attributes:
        seen: The finding as the event shows it.
        now: The finding with what the app has written to it since.
    """

    def __init__(self, finding: Finding) -> None:
        self.seen = self.now = finding

    def announce(self, update: Update, note_updated_by: str) -> None:
        """Leave behind what is about to be written: what happens next may be the end of this process."""

    def retract(self) -> None:
        """Leave behind what was there before, because nothing was written."""


class _SharedTurn(_Turn):
    def __init__(self, finding: Finding, lease: Lease, store: TurnStore, clock: Callable[[], float]) -> None:
        super().__init__(finding)
        self._lease = lease
        self._store = store
        self._clock = clock
        self._key = _written_key(finding)
        self._before = store.recall(self._key, now=clock())
        self.now = as_written(finding, self._before)

    def announce(self, update: Update, note_updated_by: str) -> None:
        self._lease.confirm()
        self._keep(
            {
                "workflow_status": update.workflow_status or self.now.workflow_status,
                "note": update.note_text,
                "by": note_updated_by,
                "at": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
                "replaced": self.now.note.text if self.now.note else None,
            }
        )

    def retract(self) -> None:
        if self._before is None:
            self._store.forget(self._key, now=self._clock())
        else:
            self._keep(self._before)

    def _keep(self, written: Mapping[str, Any]) -> None:
        self._store.keep(self._key, written, expires=self._clock() + REMEMBERED_SECONDS)


def as_written(finding: Finding, written: Mapping[str, Any] | None) -> Finding:
    """Return a finding with what was last written to it, unless it shows that, or something later, already.

    Each update of this app writes a note. Security Hub CSPM dates notes. The comments of the new Security Hub
    have no date: one that is neither what was written nor what that replaced is somebody else's, and later.
    """
    if written is None:
        return finding
    note = Note(text=written["note"], updated_by=written["by"], updated_at=written["at"])
    seen = finding.note
    if seen is not None and seen.text == note.text:
        return replace(finding, written_note=note) if finding.is_ocsf else finding
    if finding.is_ocsf:
        is_later = seen is not None and seen.text != written.get("replaced")
    else:
        is_later = seen is not None and seen.is_later_than(written["at"])
    if is_later:
        return finding
    return replace(finding, workflow_status=written["workflow_status"], written_note=note)


def _written_key(finding: Finding) -> str:
    """Return the key of what was last written to a finding, of which each hub has its own."""
    return f"{_WRITTEN_V2 if finding.is_ocsf else _WRITTEN}#{finding.digest}"


def _respecting(update: Update, turn: _Turn) -> Update:
    """Leave a status alone that was set since the event and that weighs more than the new one."""
    now = turn.now.workflow_status
    stays = now == "SUPPRESSED" or (now == "RESOLVED" and update.workflow_status == "NOTIFIED")
    changed = now not in (turn.seen.workflow_status, update.takes_back)
    return replace(update, workflow_status=None) if changed and stays else update


def keeping_marker(update: Update, finding: Finding, *, author: str) -> tuple[Update, str]:
    """Return an update, and the author of its note, that leave the marker of a suppression in a finding.

    A rule of `SuppressionRule` leaves a marker, by which the finding is found when the suppression ends: the
    author of the note, or in OCSF the beginning of the comment. Only who gives the finding another status,
    or suppresses it for a reason of their own, takes it over.

    Args:
        update: What is to be written.
        finding: The finding as it is now.
        author: Who writes.
    """
    if update.workflow_status is not None or finding.workflow_status != "SUPPRESSED" or finding.note is None:
        return update, author
    if finding.is_ocsf:
        if (marker := _MARKER.match(finding.note.text)) is None:
            return update, author
        text = truncate(f"{marker[0]}: {update.note_text}", MAX_NOTE_CHARACTERS)
        return replace(update, note_text=text), author
    marker = _MARKER.fullmatch(finding.note.updated_by or "")
    return update, marker[0] if marker else author


def _busy(finding: Finding) -> NotUpdated:
    message = "Another function of this app is writing to the finding. The event is retried."
    return NotUpdated(finding=finding, error_code="FindingInUse", error_message=message)
