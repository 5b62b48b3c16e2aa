"""What ticketing uses: trackers, the record of tickets, limits, Security Hub, and the invocation itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from functions.tickets.contract import Tracker
from functions.tickets.entry import Entry
from securityhub.events import Finding
from securityhub.findings.turns import Turns
from securityhub.findings.updates import FindingsUpdater


class Tickets(Protocol):
    """Where it is remembered which finding has which ticket."""

    def load(self, finding: Finding, tracker: str) -> Entry | None:
        """Return what is remembered, as it is at this moment."""

    def load_all(self, finding: Finding) -> Mapping[str, Entry]:
        """Return what is remembered, by tracker."""

    def save(self, finding: Finding, tracker: str, entry: Entry, *, replacing: Entry | None) -> Entry:
        """Remember an entry in place of another, or of none, and return it as it is remembered.

        Raises:
            ChangedMeanwhileError: There is something else by now.
        """


class Findings(FindingsUpdater, Protocol):
    """What is needed of Security Hub."""

    def get_finding(self, finding: Finding) -> Finding | None:
        """Return a finding as it is now, or None where it is gone."""


class Once(Protocol):
    """Does a piece of work once for each key, and never twice at a time."""

    def run(
        self, key: Mapping[str, str], work: Callable[[], dict[str, object]]
    ) -> tuple[dict[str, object], bool]:
        """Return the work's result, and whether it had been done before. Work that raises is not done."""

    def confirm(self) -> None:
        """Raise an error if another invocation may have taken over the work that is being done."""


class Limits(Protocol):
    """How many tickets may be opened without a press."""

    def take(self, account: str, tracker: str) -> bool:
        """Count one more ticket about an account's findings, unless that exceeds the limit of this hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the logic needs of the world outside."""

    trackers: tuple[Tracker, ...]
    limits: Limits
    tickets: Tickets
    once: Once
    security_hub: Findings
    turns: Turns | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What Lambda says about this invocation, and what was learnt in it.

    Attributes:
        request_id: Lambda's request id.
        function_arn: ARN of the function, the notes' author.
        clock: Seconds that pass.
        lost: By tracker, the seconds that went into calls that failed.
    """

    request_id: str
    function_arn: str
    clock: Callable[[], float] = time.monotonic
    lost: dict[str, float] = field(default_factory=dict)
