"""Metrics of outcomes, in the embedded metric format: lines in the log, from which CloudWatch takes them.

Each metric has the dimension `service`, the function, alone and with one of `Action`, `Control`, and
`AccountGroup`. All combinations would be as many metrics as their product, each of which is charged. So none
of the values may be one that an account can choose in its findings.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from securityhub.outcomes.model import Outcome, Result

NAMESPACE: Final = "SecurityHubActions"
RECEIVED: Final = "FindingsReceived"
SINCE_UPDATE: Final = "SecondsSinceUpdate"
SINCE_EVENT: Final = "SecondsSinceEvent"
REFUSED_CREDENTIALS: Final = "RefusedCredentials"
NOT_REPORTED: Final = "OutcomesNotReported"
RESULTS: Final = {
    Result.DONE: "OutcomesDone",
    Result.PARTLY_DONE: "OutcomesPartlyDone",
    Result.UNCHANGED: "OutcomesUnchanged",
    Result.DRY_RUN: "OutcomesDryRun",
    Result.HELD_BACK: "OutcomesHeldBack",
    Result.REFUSED: "OutcomesRefused",
    Result.IMPOSSIBLE: "OutcomesImpossible",
    Result.STOPPED: "OutcomesStopped",
    Result.FAILED: "OutcomesFailed",
}
_CHANGES: Final = frozenset({Result.DONE, Result.PARTLY_DONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """What metrics are counted by.

    Attributes:
        action: The ID of the custom action, or `automatic`.
        control: The control, or `none`.
        account_group: The group of the account.
    """

    action: str
    control: str
    account_group: str


class OutcomeMetrics:
    """Counts what one function does. An attempt that is repeated counts again; its event has the same ID."""

    def __init__(self, function: str) -> None:
        """Count for a function, which becomes the dimension `service`."""
        self._function = function
        self._counted: dict[Dimensions, AmazonCloudWatchEMFProvider] = {}

    def received(self, dimensions: Dimensions) -> None:
        """Count a finding of an event."""
        self._add(dimensions, RECEIVED)

    def reached(self, outcome: Outcome, dimensions: Dimensions) -> None:
        """Count an outcome. Latencies are those of changes."""
        for name in _names(outcome):
            self._add(dimensions, name)
        if outcome.result not in _CHANGES:
            return
        for name, seconds in (
            (SINCE_UPDATE, outcome.seconds_since_update),
            (SINCE_EVENT, outcome.seconds_since_event),
        ):
            if seconds is not None:
                self._of(dimensions).add_metric(name=name, unit=MetricUnit.Seconds, value=seconds)

    def not_reported(self, dimensions: Dimensions) -> None:
        """Count an outcome that is not on the bus."""
        self._add(dimensions, NOT_REPORTED)

    def flush(self) -> None:
        """Write what was counted to the log."""
        for counted in self._counted.values():
            counted.flush_metrics()
        self._counted.clear()

    def _add(self, dimensions: Dimensions, name: str) -> None:
        self._of(dimensions).add_metric(name=name, unit=MetricUnit.Count, value=1)

    def _of(self, dimensions: Dimensions) -> AmazonCloudWatchEMFProvider:
        if dimensions not in self._counted:
            service = self._function
            counted = AmazonCloudWatchEMFProvider(namespace=NAMESPACE, service=service)
            counted.add_dimensions(service=service, Action=dimensions.action)
            counted.add_dimensions(service=service, Control=dimensions.control)
            counted.add_dimensions(service=service, AccountGroup=dimensions.account_group)
            self._counted[dimensions] = counted
        return self._counted[dimensions]


def _names(outcome: Outcome) -> Iterator[str]:
    yield RESULTS[outcome.result]
    if outcome.refused_credential:
        yield REFUSED_CREDENTIALS
