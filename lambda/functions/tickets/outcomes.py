"""The outcomes for the findings of an event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from functions.tickets.contract import TrackerError
from functions.tickets.entry import ChangedMeanwhileError, Entry, State
from invocation.messages import IncompleteError
from invocation.once import WorkInProgressError
from securityhub.events import Finding, MalformedItem

HELD_BACK: Final = "held back"
NOT_TAKEN: Final = "none, because it opens tickets only for findings of the new Security Hub"
SECURITY_HUB: Final = "Security Hub"
EVENT_BUS: Final = "event bus"


def described(entry: Entry | None) -> str:
    """Return what a report says of a ticket."""
    if entry is not None and entry.state is State.HELD:
        return HELD_BACK
    if entry is None or entry.ticket is None:
        return "none"
    return f"{entry.state} {entry.ticket.id} {entry.ticket.link}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome for one finding.

    Attributes:
        finding: The finding.
        tickets: By tracker, `open SEC-12 https://...`, `resolved ...`, `held back`, or `none`.
        failures: The reasons for failures, by tracker, or by `SECURITY_HUB` if the finding wasn't updated, or
            by `EVENT_BUS` if the outcome wasn't reported.
        waiting: Those of them where the reason is that other invocations are working on the finding.
        recorded: Those of them where the record of the ticket says what is left to do, so that the hourly run
            does it: the tracker can't be reached, or refuses its credential; or another invocation began it.
    """

    finding: Finding
    tickets: Mapping[str, str]
    failures: Mapping[str, str]
    waiting: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        finding: Finding,
        tickets: Mapping[str, str],
        errors: Mapping[str, Exception],
        *,
        begun: Collection[str] = (),
    ) -> Report:
        """Return the report of a finding, given the reasons for failures as errors.

        Args:
            finding: The finding.
            tickets: As the attribute.
            errors: The reasons.
            begun: The trackers whose records say that the ticket is being opened. Default: none.
        """
        return cls(
            finding=finding,
            tickets=tickets,
            failures={
                name: f"{type(error).__name__}: {error}".rstrip(". ") for name, error in errors.items()
            },
            waiting=frozenset(
                name
                for name, error in errors.items()
                if isinstance(error, (WorkInProgressError, ChangedMeanwhileError))
            ),
            recorded=frozenset(
                name
                for name, error in errors.items()
                if (isinstance(error, TrackerError) and error.is_temporary)
                or (isinstance(error, WorkInProgressError) and name in begun)
            ),
        )

    @property
    def is_busy(self) -> bool:
        """Whether the only reason for failures is that other invocations are working on the finding."""
        return bool(self.failures) and self.waiting == self.failures.keys()

    @property
    def is_recorded(self) -> bool:
        """Whether the hourly run does all that failed."""
        return bool(self.failures) and self.recorded == self.failures.keys()

    def to_json(self) -> dict[str, object]:
        """Return the report as it appears in the log and in the function's response."""
        return {
            "finding": self.finding.id,
            "account": self.finding.aws_account_id,
            "region": self.finding.region,
            "tickets": dict(self.tickets),
            "failures": dict(self.failures),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The outcomes for all findings of an event.

    Attributes:
        reports: One report for each distinct finding that could be read.
        malformed: The findings that couldn't be read.
        waiting: The number of tickets that are held back for other findings, which weren't handled.
    """

    reports: tuple[Report, ...]
    malformed: tuple[MalformedItem, ...]
    waiting: int = 0

    @property
    def held_back(self) -> int:
        """The number of tickets that are held back."""
        return self.waiting + sum(list(report.tickets.values()).count(HELD_BACK) for report in self.reports)

    @property
    def failures(self) -> list[str]:
        """The failures, each in a sentence that names the finding and the tracker."""
        return [
            *(
                f"{report.finding.id}: {name}: {why}"
                for report in self.reports
                for name, why in report.failures.items()
            ),
            *(f"{item.id or f'finding number {item.index}'}: {item.reason}" for item in self.malformed),
        ]

    @property
    def is_busy(self) -> bool:
        """Whether the only reason for failures is that other invocations are working on the findings."""
        failed = [report for report in self.reports if report.failures]
        return bool(failed) and not self.malformed and all(report.is_busy for report in failed)

    @property
    def is_recorded(self) -> bool:
        """Whether the hourly run does all that failed."""
        failed = [report for report in self.reports if report.failures]
        return bool(failed) and not self.malformed and all(report.is_recorded for report in failed)

    def to_json(self) -> dict[str, object]:
        """Return the summary as it appears in the function's response."""
        return {
            "findings": [report.to_json() for report in self.reports],
            "malformed": [asdict(item) for item in self.malformed],
        }


class TicketsIncompleteError(IncompleteError):
    """Some findings lack tickets, weren't updated, or couldn't be read. All others were handled.

    It's raised last, so that the event is kept and retried. A retry doesn't repeat what was done.

    Attributes:
        summary: The outcome for every finding.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.is_busy = summary.is_busy
        self.is_recorded = summary.is_recorded
        failures = summary.failures
        super().__init__(f"{len(failures)} failure(s). " + " | ".join(failures))


class LookAgainSoonError(TicketsIncompleteError):
    """A finding that the hourly run has sent is to be looked at again within minutes."""

    def __init__(self, summary: Summary) -> None:
        super().__init__(summary)
        self.is_busy = True
