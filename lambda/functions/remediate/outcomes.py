"""The outcome for a finding, and the note and workflow status that report it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NotRequired, TypedDict

from invocation.messages import IncompleteError
from securityhub.events import Finding, MalformedItem
from securityhub.findings.updates import MAX_NOTE_CHARACTERS, truncate

# Leaves room in a note for the prior state or its location. Without one, a description can fill the note.
_MAX_DESCRIPTION_CHARACTERS: Final = 200


class Status(StrEnum):
    """The status of an outcome, in the words that a note begins with."""

    APPLIED = "Remediated"
    PARTIAL = "Remediated in part"
    UNDONE = "Remediation undone"
    PARTLY_UNDONE = "Remediation undone in part"
    NOT_NEEDED = "Nothing to remediate"
    PLANNED = "Dry run, nothing changed"
    WAITING = "Waiting for approval, nothing changed"
    NOT_APPROVED = "Not approved, nothing changed"
    REFUSED = "Not allowed, nothing changed"
    IMPOSSIBLE = "Cannot be remediated"
    FAILED = "Remediation failed"
    NOTHING_TO_UNDO = "Nothing to undo"
    CANNOT_UNDO = "Cannot be undone"
    UNDO_REFUSED = "Undo not allowed, nothing changed"
    UNDO_FAILED = "Undo failed"
    SUPERSEDED = "Superseded by a later event, nothing changed"
    BUSY = "Being remediated"


RESOLVED: Final = "RESOLVED"
# Security Hub itself sets a resolved finding back to NEW when its control fails after it has passed, and not
# before: what is not wholly remediated must stay open. A failure or a dry run leaves the finding for whoever
# works on it.
_UNDONE: Final = frozenset({Status.UNDONE, Status.PARTLY_UNDONE})
_WORKFLOW_STATUSES: Final[Mapping[Status, str]] = {
    Status.APPLIED: RESOLVED,
    Status.NOT_NEEDED: RESOLVED,
    **dict.fromkeys(_UNDONE, "NEW"),
}
# The outcomes after which a retry or another press has nothing to do, those of them with a change, and those
# that leave nothing to do at all.
_CHANGED: Final = frozenset({Status.APPLIED, Status.PARTIAL, Status.UNDONE})
_FINAL: Final = _CHANGED | {Status.NOT_NEEDED}
_SETTLED: Final = _FINAL - {Status.PARTIAL}
# Those without a change that leave something to do, first what makes up for the others, and what a person can
# still decide.
_UNCHANGED: Final = (
    Status.SUPERSEDED,
    Status.WAITING,
    Status.NOT_APPROVED,
    Status.PLANNED,
    Status.IMPOSSIBLE,
    Status.CANNOT_UNDO,
    Status.REFUSED,
    Status.UNDO_REFUSED,
    Status.NOTHING_TO_UNDO,
)
# Those that are retried, the more serious first.
RETRIED: Final = (Status.FAILED, Status.UNDO_FAILED, Status.BUSY)
# What an outcome is called if it's that of an undo, and what leaves something of the resource changed.
_OF_UNDO: Final[Mapping[Status, Status]] = {
    Status.IMPOSSIBLE: Status.CANNOT_UNDO,
    Status.REFUSED: Status.UNDO_REFUSED,
    Status.FAILED: Status.UNDO_FAILED,
}
_NOT_UNDONE: Final = frozenset({*_OF_UNDO.values(), Status.PARTLY_UNDONE})
# What stacks/remediation.py looks for in the log.
NOT_UNDONE: Final = "Findings not undone"
_AGAIN: Final = "Already done, nothing changed now. "


class OutcomeJson(TypedDict):
    """An outcome as stored in the idempotency table."""

    status: str
    description: str
    remediation: str | None
    prior_state: Mapping[str, object] | None
    record: str | None
    time: str
    request_id: str
    event_id: NotRequired[str]
    parts: NotRequired[list[OutcomeJson]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome for one finding, or of one of several remediations that serve it.

    Attributes:
        status: The status of the outcome.
        description: What was or would be changed, or why not; a sentence without a period.
        remediation: The name of the remediation that was used.
        prior_state: The previous state, if something was or would be changed.
        record: Where the prior state is stored, `s3://BUCKET/KEY`.
        time: When it happened, in ISO 8601 format.
        request_id: The ID of the Lambda request that did it.
        event_id: The ID of the event for which it was done; empty if nothing was, or in what an earlier
            version stored.
        repeated: Whether an earlier request did it, so that this one changed nothing.
        parts: If several remediations serve the finding, the outcome of each, first those that leave
            something to do. Remediation, prior state and record are theirs then.
    """

    status: Status
    description: str
    time: str
    request_id: str
    remediation: str | None = None
    prior_state: Mapping[str, object] | None = None
    record: str | None = None
    event_id: str = ""
    repeated: bool = False
    parts: tuple[Outcome, ...] = ()

    @classmethod
    def now(
        cls,
        status: Status,
        description: str,
        *,
        request_id: str,
        remediation: str | None = None,
        prior_state: Mapping[str, object] | None = None,
        record: str | None = None,
        event_id: str = "",
    ) -> Outcome:
        """Return an outcome of this moment."""
        return cls(
            status=status,
            description=description,
            time=to_time(datetime.now(UTC)),
            request_id=request_id,
            remediation=remediation,
            prior_state=prior_state,
            record=record,
            event_id=event_id,
        )

    def of_undo(self) -> Outcome:
        """Return the outcome in the words of an undo, which didn't restore anything if it wasn't undone."""
        return replace(self, status=_OF_UNDO.get(self.status, self.status))

    @property
    def each(self) -> tuple[Outcome, ...]:
        """The outcome of each remediation that serves the finding: the parts, or else this one."""
        return self.parts or (self,)

    @property
    def is_final(self) -> bool:
        """Whether something was changed, and a retry or another press has nothing left to do."""
        found = {one.status for one in self.each}
        return found <= _FINAL and bool(found & _CHANGED)

    @property
    def workflow_status(self) -> str | None:
        """The workflow status that the finding gets, or None if it stays as it is.

        If anything was undone, the finding has to be open, whatever became of the rest.
        """
        if any(one.status in _UNDONE for one in self.parts):
            return _WORKFLOW_STATUSES[Status.UNDONE]
        return _WORKFLOW_STATUSES.get(self.status)

    @property
    def statuses(self) -> str:
        """The status, and those of the parts: what has to change before another note is worth writing."""
        return ", ".join((self.status, *(one.status for one in self.parts)))

    def without_state(self) -> Outcome:
        """Return the outcome without previous states, which can be large and are in the records."""
        parts = tuple(one.without_state() for one in self.parts)
        return replace(self, prior_state=None, parts=parts)

    def to_json(self) -> OutcomeJson:
        """Return the outcome as it is stored."""
        outcome = OutcomeJson(
            status=self.status,
            description=self.description,
            remediation=self.remediation,
            prior_state=self.prior_state,
            record=self.record,
            time=self.time,
            request_id=self.request_id,
        )
        if self.event_id:
            outcome["event_id"] = self.event_id
        if self.parts:
            outcome["parts"] = [one.to_json() for one in self.parts]
        return outcome

    @classmethod
    def from_json(cls, remembered: OutcomeJson, *, repeated: bool) -> Outcome:
        """Return the outcome that was stored."""
        return cls(
            status=Status(remembered["status"]),
            description=remembered["description"],
            time=remembered["time"],
            request_id=remembered["request_id"],
            remediation=remembered["remediation"],
            prior_state=remembered["prior_state"],
            record=remembered["record"],
            event_id=remembered.get("event_id", ""),
            repeated=repeated,
            parts=tuple(cls.from_json(one, repeated=repeated) for one in remembered.get("parts", ())),
        )


def combine(parts: Sequence[Outcome]) -> Outcome:
    """Return the outcome for a finding of what one or several remediations did about it.

    Args:
        parts: The outcome of each, at least one.
    """
    if len(parts) == 1:
        return parts[0]
    status = _status_of({one.status for one in parts})
    latest = max(parts, key=lambda one: one.time)
    changed = [one for one in parts if one.status in _CHANGED]
    ordered = sorted(parts, key=lambda one: one.status in _SETTLED)
    return Outcome(
        status=status,
        description="; ".join(_told(one) for one in ordered),
        time=latest.time,
        request_id=latest.request_id,
        repeated=bool(changed) and all(one.repeated for one in changed) and status not in RETRIED,
        parts=tuple(ordered),
    )


def _status_of(found: set[Status]) -> Status:
    """Return the status of the whole: never one that settles a finding of which something remains."""
    for status in RETRIED:
        if status in found:
            return status
    if len(found) == 1:
        return next(iter(found))
    if found & _UNDONE:
        return Status.PARTLY_UNDONE
    if found & _CHANGED:
        return Status.APPLIED if found <= _SETTLED else Status.PARTIAL
    return next(one for one in _UNCHANGED if one in found)


def _told(part: Outcome) -> str:
    return f"{part.status}: {part.description}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finding and its outcome."""

    finding: Finding
    outcome: Outcome

    def to_json(self) -> dict[str, object]:
        """Return the report as it appears in the log and the function's response."""
        return {
            "finding": self.finding.id,
            "account": self.finding.aws_account_id,
            "region": self.finding.region,
            **self.outcome.to_json(),
            "repeated": self.outcome.repeated,
        }


def is_settled(reports: Sequence[Report], not_written: Mapping[str, str]) -> bool:
    """Whether a retry has nothing to do for findings: none failed, and what was to be written is."""
    return not not_written and not any(report.outcome.status in RETRIED for report in reports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The outcomes for all findings of an event.

    Attributes:
        reports: One for each distinct finding that could be read.
        not_written: Findings whose note could not be written, each with the reason.
        malformed: Findings that could not be read.
        not_reported: Why outcomes are not on the event bus. Default: they are, or none is to be.
    """

    reports: tuple[Report, ...]
    not_written: Mapping[str, str]
    malformed: tuple[MalformedItem, ...]
    not_reported: str = ""

    @property
    def failures(self) -> list[str]:
        """The findings to retry or investigate, each in a sentence that names the finding."""
        failed = [report for report in self.reports if report.outcome.status in RETRIED]
        return [
            *(f"{report.finding.id}: {report.outcome.description}" for report in failed),
            *(
                f"{finding_id}: the note was not written: {why}"
                for finding_id, why in self.not_written.items()
            ),
            *(f"{item.id or f'finding number {item.index}'}: {item.reason}" for item in self.malformed),
            *([self.not_reported] if self.not_reported else ()),
        ]

    @property
    def not_undone(self) -> dict[str, str]:
        """Why something that was to be undone is still as the remediation left it, by finding ID."""
        return {
            report.finding.id: report.outcome.description
            for report in self.reports
            if any(one.status in _NOT_UNDONE for one in report.outcome.each)
        }

    @property
    def is_busy(self) -> bool:
        """Whether the only reason for failures is that other invocations are working on the findings."""
        failed = {report.outcome.status for report in self.reports}.intersection(RETRIED)
        return failed == {Status.BUSY} and not (self.not_written or self.malformed or self.not_reported)

    def to_json(self) -> dict[str, object]:
        """Return the summary as it appears in the function's response."""
        return {
            "findings": [report.to_json() for report in self.reports],
            "notWritten": dict(self.not_written),
            "malformed": [asdict(item) for item in self.malformed],
        }


class FindingsNotRemediatedError(IncompleteError):
    """Some findings of the event were not remediated, not reported on, or not readable; all others were.

    Raised last, so that the event is kept and retried. A retry does not repeat completed work.

    Attributes:
        summary: The outcomes for all findings.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.is_busy = summary.is_busy
        failures = summary.failures
        super().__init__(f"{len(failures)} failure(s). " + " | ".join(failures))


def compose_note(outcome: Outcome, by: str) -> str:
    """Return the note: what was done, when, by whom, and the previous state; at most 512 characters.

    If several remediations serve the finding, each of their outcomes gets an equal share of the room.
    """
    again = _AGAIN if outcome.repeated else ""
    begin = f"{again}{outcome.status}: "
    end = f". {outcome.time} by {by}, request {outcome.request_id}."
    prior_state, record = _before(outcome)
    room = _MAX_DESCRIPTION_CHARACTERS
    if prior_state is None or outcome.parts:
        room = max(room, MAX_NOTE_CHARACTERS - len(begin) - len(end))
    text = f"{begin}{_described(outcome, room)}{end}"
    if prior_state is None:
        return truncate(text, MAX_NOTE_CHARACTERS)
    prior = json.dumps(prior_state, separators=(",", ":"))
    complete = f"{text} Before: {prior}"
    if record is None or len(complete) <= MAX_NOTE_CHARACTERS:
        return truncate(complete, MAX_NOTE_CHARACTERS)
    return truncate(f"{text} Before: {record}", MAX_NOTE_CHARACTERS)


def says_changed(note: str) -> bool:
    """Whether a note is as `compose_note` writes it about a resource that was changed and isn't undone."""
    changed = (Status.APPLIED, Status.PARTIAL, *_NOT_UNDONE)
    return note.removeprefix(_AGAIN).startswith(tuple(f"{status}: " for status in changed))


def _before(outcome: Outcome) -> tuple[Mapping[str, object] | None, str | None]:
    """Return the previous state, and where it is stored; of several remediations, by their names."""
    if not outcome.parts:
        return outcome.prior_state, outcome.record
    states = {str(one.remediation): one.prior_state for one in outcome.parts if one.prior_state is not None}
    records = [one.record for one in outcome.parts if one.record]
    return states or None, ", ".join(records) or None


def _described(outcome: Outcome, room: int) -> str:
    if not outcome.parts:
        return truncate(outcome.description, room)
    share = (room - len("; ") * (len(outcome.parts) - 1)) // len(outcome.parts)
    return "; ".join(truncate(_told(one), share) for one in outcome.parts)


def to_time(moment: datetime) -> str:
    """Return a time in the format of notes and records."""
    return moment.isoformat(timespec="seconds")
