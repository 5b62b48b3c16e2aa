"""What a function needs to act on the findings of insight results."""

from __future__ import annotations

from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from securityhub_actions import LoggedFunction
from securityhub_actions.publishing import allow_publishing
from stacks.settings import InsightResultsSettings

DEFAULT_INSIGHT_RESULTS: Final = InsightResultsSettings(maximum_findings=100, remediate="dry-run")
"""The settings where a stack gets none, as in settings.toml."""


def act_on_insight_results(
    function: LoggedFunction, *, settings: InsightResultsSettings, notices: sns.ITopic | None
) -> None:
    """Let a function read insights and their findings, and say what it could not do.

    The function also needs `IDEMPOTENCY_TABLE`, where lambda/securityhub/findings/insights.py remembers the
    findings of a press.

    Args:
        function: The function, which handles presses of a custom action.
        settings: The settings.
        notices: The topic on which the function says that the findings of results can't be determined. None
            for none: such an event fails, and ends in the dead-letter queue.
    """
    function.add_environment("INSIGHT_MAX_FINDINGS", str(settings.maximum_findings))
    hub = Stack.of(function).format_arn(service="securityhub", resource="hub", resource_name="default")
    function.add_to_role_policy(
        iam.PolicyStatement(actions=["securityhub:GetFindings", "securityhub:GetInsights"], resources=[hub])
    )
    if notices is not None:
        function.add_environment("NOTICE_TOPIC_ARN", notices.topic_arn)
        allow_publishing(function, notices)
