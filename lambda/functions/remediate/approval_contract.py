"""What approval needs: requests, the runbook that asks, and findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol

from securityhub.events import Finding

CANCELED: Final = "canceled"
"""What came of an execution that somebody, or the app, has canceled."""


class Answer(Enum):
    """What Systems Manager says about a request."""

    WAITING = auto()
    APPROVED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """An execution of the runbook, as Systems Manager has it.

    Attributes:
        id: Its ID.
        words: What its approvers read, as `words_of` has it.
        answer: What came of it.
        why: What came of it, in words without a period, such as `rejected by arn:...`.
        ended: When it ended, with its time zone; None if it's running.
    """

    id: str
    words: Mapping[str, str]
    answer: Answer
    why: str
    ended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for approval, as the table has it.

    Attributes:
        key: Identifies the finding and the remediation.
        finding: The ID of the finding.
        product: Its `ProductArn`, or the `metadata.product.uid` of a finding in OCSF.
        account: The account of the finding.
        remediation: The name of the remediation.
        plan: The digest of the plan.
        action: The ARN of the custom action that was pressed, or `AUTOMATIC`.
        asked_by: Who asked, for a note.
        attempt: A random ID, so that an execution isn't started twice.
        execution: The ID of the execution, or None if it might not have been started.
        is_refused: Whether it wasn't approved, and the finding says so.
        is_used: Whether what was approved was done, or begun. An approval is good for one change.
        settled: The state in which the finding was settled already when it was asked for; empty if it wasn't.
        outdated: Why it's being canceled, in a clause; empty if it isn't.
        replaces: The IDs of the executions that it replaces and that may still wait, separated by spaces.
    """

    key: str
    finding: str
    product: str
    account: str
    remediation: str
    plan: str
    action: str
    asked_by: str
    attempt: str
    execution: str | None = None
    is_refused: bool = False
    is_used: bool = False
    settled: str = ""
    outdated: str = ""
    replaces: str = ""

    def identified(self) -> Finding:
        """The finding, of which no more is known than what identifies it."""
        return Finding.identified(id_=self.finding, product=self.product, account=self.account)


class Requests(Protocol):
    """The table of requests."""

    def load(self, key: str) -> Request | None:
        """Return the request for a finding and a remediation."""

    def save(self, request: Request, *, replacing: Request | None) -> None:
        """Store a request in the place of another one, or of none.

        Raises:
            WorkInProgressError: Another invocation has stored one in the meantime.
        """

    def change(self, request: Request, **changes: str | bool) -> bool:
        """Store what has changed about a request, and return False if it was settled or replaced.

        The rest stays as it is by now: the approval can be used while the hourly look works on the request.
        """

    def close(self, request: Request, *, refused: bool) -> None:
        """Delete a request, or keep that it wasn't approved; nothing happens if it was replaced."""

    def waiting(self) -> Collection[Request]:
        """Return all requests of which the findings don't say what came of them."""


class Runbook(Protocol):
    """The runbook that asks for approval."""

    def start(self, attempt: str, words: Mapping[str, str]) -> str:
        """Start an execution, once for each attempt, and return its ID."""

    def look(self, execution_id: str) -> Execution | None:
        """Return an execution of the runbook as it is now, or None if there is no such execution."""

    def cancel(self, execution_id: str) -> None:
        """Cancel an execution of the runbook. If it has ended, or there is no such one, nothing happens."""
