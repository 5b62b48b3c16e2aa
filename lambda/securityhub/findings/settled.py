"""Finds out whether a finding was settled after its event was sent, so that nobody wants it acted on.

An event can be handled days after it was sent: it waits in its queue behind a burst, it's retried, or
somebody sends it again from the dead-letter queue. Its findings are as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from securityhub.events import Finding

SUPPRESSED: Final = "SUPPRESSED"
_SETTLED: Final = frozenset({"RESOLVED", SUPPRESSED})
# Security Hub allows only three reads a second, and can take several minutes to show a decision, so a look at
# once would rarely tell more than the event. As long as Lambda takes until its first retry, too.
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
_SOON: Final = timedelta(minutes=1)


class FindingsReader(Protocol):
    """What is needed of Security Hub."""

    def get_finding(self, finding: Finding) -> Finding | None:
        """Return the current state of a finding, or None if it doesn't exist."""


class FindingNotShownError(Exception):
    """Security Hub doesn't return a finding: it was deleted, or can't be read yet."""


def settled_state(finding: Finding) -> str:
    """Return the state in which a finding is settled, or an empty string if it isn't."""
    if finding.record_state == "ARCHIVED":
        return finding.record_state
    return finding.workflow_status if finding.workflow_status in _SETTLED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateLook:
    """Looks at findings again whose event was sent a while ago.

    Attributes:
        findings: Reads findings.
        now: Returns the current time in UTC.
    """

    findings: FindingsReader
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def state_since(self, finding: Finding, sent: datetime) -> str:
        """Return the state in which somebody has settled a finding since its event was sent; empty for none.

        Args:
            finding: The finding as its event shows it.
            sent: When the event was sent.

        Raises:
            FindingNotShownError: Security Hub doesn't return it, so it isn't known. A retry can succeed.
            Exception: Security Hub refused to say. The same holds.
        """
        if self.now() - sent < _SOON:
            return ""
        current = self.findings.get_finding(finding)
        if current is None:
            raise FindingNotShownError(
                "Security Hub does not return the finding, so whether it was settled after the event was "
                "sent is unknown, and nothing was changed. If it was deleted, delete the event as well"
            )
        state = settled_state(current)
        return "" if state == settled_state(finding) else state


def unwanted(state: str) -> str:
    """Return why nothing is done to a finding in this state, in a sentence without a period."""
    return (
        f"The finding is {state} by now, so nothing was changed. Press the action again if that is "
        "wanted nevertheless"
    )
