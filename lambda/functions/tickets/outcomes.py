"""What became of the tickets of an event's findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from securityhub.events import Finding, MalformedItem

HELD_BACK: Final = "held back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finding and what became of its tickets.

    Attributes:
        finding: The finding.
        tickets: By tracker, `open SEC-12 https://...`, `resolved ...`, `held back`, or `none`.
        failures: By tracker, or by `Security Hub` where the finding could not be updated, why.
    """

    finding: Finding
    tickets: Mapping[str, str]
    failures: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """Return it as the log and the function's answer have it."""
        return {
            "finding": self.finding.id,
            "account": self.finding.aws_account_id,
            "region": self.finding.region,
            "tickets": dict(self.tickets),
            "failures": dict(self.failures),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of all findings of an event.

    Attributes:
        reports: One for each distinct finding that could be read.
        malformed: Findings that could not be read.
    """

    reports: tuple[Report, ...]
    malformed: tuple[MalformedItem, ...]

    @property
    def held_back(self) -> int:
        """The number of tickets that the limit doesn't allow yet."""
        return sum(list(report.tickets.values()).count(HELD_BACK) for report in self.reports)

    @property
    def failures(self) -> list[str]:
        """What must be tried again or looked at, each in a sentence that names finding and tracker."""
        return [
            *(
                f"{report.finding.id}: {name}: {why}"
                for report in self.reports
                for name, why in report.failures.items()
            ),
            *(f"{item.id or f'finding number {item.index}'}: {item.reason}" for item in self.malformed),
        ]

    def to_json(self) -> dict[str, object]:
        """Return the summary as the function answers it."""
        return {
            "findings": [report.to_json() for report in self.reports],
            "malformed": [asdict(item) for item in self.malformed],
        }


class TicketsIncompleteError(Exception):
    """Some findings have not all their tickets, were not updated, or not readable; all others are done.

    Raised last, so that the event is kept and tried again, which does not redo what was done.

    Attributes:
        summary: What became of every finding.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        failures = summary.failures
        super().__init__(f"{len(failures)} failure(s). " + " | ".join(failures))
