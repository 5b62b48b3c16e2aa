"""The outcome for a finding, and the note and workflow status that report it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypedDict

from securityhub.events import Finding, FindingsEvent, MalformedItem
from securityhub.findings.updates import MAX_NOTE_CHARACTERS, asked_by, truncate

# Leaves room in a note for the prior state or its location. Without one, a description can fill the note.
_MAX_DESCRIPTION_CHARACTERS: Final = 200


class Status(StrEnum):
    """The status of an outcome, in the words that a note begins with."""

    APPLIED = "Remediated"
    PARTIAL = "Remediated in part"
    UNDONE = "Remediation undone"
    NOT_NEEDED = "Nothing to remediate"
    PLANNED = "Dry run, nothing changed"
    REFUSED = "Not allowed, nothing changed"
    IMPOSSIBLE = "Cannot be remediated"
    FAILED = "Remediation failed"
    BUSY = "Being remediated"


# Security Hub itself sets a resolved finding back to NEW when its control fails after it has passed, and not
# before: what is not wholly remediated must stay open. A failure or a dry run leaves the finding for whoever
# works on it.
WORKFLOW_STATUSES: Final[Mapping[Status, str]] = {
    Status.APPLIED: "RESOLVED",
    Status.NOT_NEEDED: "RESOLVED",
    Status.UNDONE: "NEW",
}


class OutcomeJson(TypedDict):
    """An outcome as stored in the idempotency table."""

    status: str
    description: str
    remediation: str | None
    prior_state: Mapping[str, object] | None
    record: str | None
    time: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome for one finding.

    Attributes:
        status: The status of the outcome.
        description: What was or would be changed, or why not; a sentence without a period.
        remediation: The name of the remediation that was used.
        prior_state: The previous state, if something was or would be changed.
        record: Where the prior state is stored, `s3://BUCKET/KEY`.
        time: When it happened, in ISO 8601 format.
        request_id: The ID of the Lambda request that did it.
        repeated: Whether an earlier request did it, so that this one changed nothing.
    """

    status: Status
    description: str
    time: str
    request_id: str
    remediation: str | None = None
    prior_state: Mapping[str, object] | None = None
    record: str | None = None
    repeated: bool = False

    def to_json(self) -> OutcomeJson:
        """Return the outcome as it is stored."""
        return OutcomeJson(
            status=self.status,
            description=self.description,
            remediation=self.remediation,
            prior_state=self.prior_state,
            record=self.record,
            time=self.time,
            request_id=self.request_id,
        )

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
            repeated=repeated,
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The outcomes for all findings of an event.

    Attributes:
        reports: One for each distinct finding that could be read.
        not_written: Findings whose note could not be written, each with the reason.
        malformed: Findings that could not be read.
    """

    reports: tuple[Report, ...]
    not_written: Mapping[str, str]
    malformed: tuple[MalformedItem, ...]

    @property
    def failures(self) -> list[str]:
        """The findings to retry or investigate, each in a sentence that names the finding."""
        failed = [report for report in self.reports if report.outcome.status in (Status.FAILED, Status.BUSY)]
        return [
            *(f"{report.finding.id}: {report.outcome.description}" for report in failed),
            *(
                f"{finding_id}: the note was not written: {why}"
                for finding_id, why in self.not_written.items()
            ),
            *(f"{item.id or f'finding number {item.index}'}: {item.reason}" for item in self.malformed),
        ]

    def to_json(self) -> dict[str, object]:
        """Return the summary as it appears in the function's response."""
        return {
            "findings": [report.to_json() for report in self.reports],
            "notWritten": dict(self.not_written),
            "malformed": [asdict(item) for item in self.malformed],
        }


class FindingsNotRemediatedError(Exception):
    """Some findings of the event were not remediated, not reported on, or not readable; all others were.

    Raised last, so that the event is kept and retried. A retry does not repeat completed work.

    Attributes:
        summary: The outcomes for all findings.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        failures = summary.failures
        super().__init__(f"{len(failures)} failure(s). " + " | ".join(failures))


def compose_note(outcome: Outcome, event: FindingsEvent) -> str:
    """Return the note: what was done, when, by whom, and the previous state; at most 512 characters."""
    again = "Already done, nothing changed now. " if outcome.repeated else ""
    begin = f"{again}{outcome.status}: "
    end = f". {outcome.time} by {asked_by(event)}, request {outcome.request_id}."
    room = _MAX_DESCRIPTION_CHARACTERS
    if outcome.prior_state is None:
        room = max(room, MAX_NOTE_CHARACTERS - len(begin) - len(end))
    text = f"{begin}{truncate(outcome.description, room)}{end}"
    if outcome.prior_state is None:
        return truncate(text, MAX_NOTE_CHARACTERS)
    prior = json.dumps(outcome.prior_state, separators=(",", ":"))
    complete = f"{text} Before: {prior}"
    if outcome.record is None or len(complete) <= MAX_NOTE_CHARACTERS:
        return truncate(complete, MAX_NOTE_CHARACTERS)
    return truncate(f"{text} Before: {outcome.record}", MAX_NOTE_CHARACTERS)


def to_time(moment: datetime) -> str:
    """Return a time in the format of notes and records."""
    return moment.isoformat(timespec="seconds")
