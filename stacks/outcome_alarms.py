"""Alarms on what the functions report of their work in metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.alarms import alarm

NAMESPACE: Final = "SecurityHubActions"
"""As in lambda/securityhub/outcomes/metrics.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAlarm:
    """An alarm on a metric.

    Attributes:
        metric: The metric, as in lambda/securityhub/outcomes/metrics.py.
        description: What it means, and what to do.
    """

    metric: str
    description: str


_NOT_REPORTED: Final = OutcomeAlarm(
    metric="OutcomesNotReported",
    description="EventBridge did not take events that tell what became of findings. A retry reports them "
    "again; otherwise, they wait in the dead-letter queue with the event. Check the bus of the stack "
    "SecurityHubOutcomes, its policy, and the function's permission for events:PutEvents.",
)
_REFUSED_CREDENTIALS: Final = OutcomeAlarm(
    metric="RefusedCredentials",
    description="A tracker refused its credential, which may have expired, or its secret can't be read. Run "
    "`securityhub-actions doctor`, or read the function's log, to see which. Write a valid credential into "
    "the secret; the next attempt reads it. Send again what went to the dead-letter queue meanwhile, with "
    "`securityhub-actions dead-letters`.",
)
ALARMS: Final[Mapping[str, tuple[OutcomeAlarm, ...]]] = {
    "remediate": (_NOT_REPORTED,),
    "tickets": (_NOT_REPORTED, _REFUSED_CREDENTIALS),
    "update_findings": (_NOT_REPORTED,),
}
"""The alarms of each function, by its folder."""


def watch_outcomes(stack: Stack, function: str) -> None:
    """Add the alarms of a function, once in a stack, where several do the same work.

    Args:
        stack: The stack.
        function: The function's folder, which is the dimension `service`.
    """
    for one in ALARMS[function]:
        construct_id = f"{one.metric}Alarm"
        if stack.node.try_find_child(construct_id) is None:
            alarm(
                stack,
                construct_id,
                outcome_metric(one.metric, function),
                above=0,
                description=one.description,
            )


def outcome_metric(
    name: str, function: str, *, statistic: str = cloudwatch.Stats.SUM, label: str | None = None
) -> cloudwatch.Metric:
    """Return a metric of a function.

    Args:
        name: The name, as in lambda/securityhub/outcomes/metrics.py.
        function: The function's folder.
        statistic: The statistic. Default: the sum.
        label: What a graph calls it. Default: its name.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": function},
        period=Duration.minutes(5),
        statistic=statistic,
        label=label,
    )
