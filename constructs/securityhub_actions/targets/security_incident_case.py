"""A case of AWS Security Incident Response as a rule target."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from securityhub_actions.acknowledgments import acknowledge, wildcard_finding
from securityhub_actions.arguments import checked
from securityhub_actions.checks import Validation
from securityhub_actions.delivery import Delivery
from securityhub_actions.handler_code import handler_code
from securityhub_actions.logged_function import LoggedFunction
from securityhub_actions.targets.event_kinds import is_taken_apart
from securityhub_actions.targets.lambda_function import LambdaFunction

MAX_WATCHERS: Final = 30
_EMAIL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


class CaseResolver(StrEnum):
    """Who works on a case."""

    AWS = "AWS"
    """The AWS Customer Incident Response Team, with you."""

    SELF = "Self"
    """You. You can ask AWS for help later."""


class CaseEngagement(StrEnum):
    """What a case is."""

    SECURITY_INCIDENT = "Security Incident"
    INVESTIGATION = "Investigation"


class SecurityIncidentCase(LambdaFunction):
    """Creates a case in AWS Security Incident Response for each finding.

    A Lambda function, which is created here, calls `security-ir:CreateCase`. It works in the account of the
    membership, or of its delegated administrator, and in the membership's Region.

    A case is about one finding, so wrap the target: `EachFinding(SecurityIncidentCase(...))`. Otherwise,
    synthesis fails. An event that is sent again doesn't create a second case, because the client token is the
    key of the finding in the press. Another press does.

    Source: https://docs.aws.amazon.com/security-ir/latest/APIReference/API_CreateCase.html
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        watchers: Sequence[str],
        resolver: CaseResolver = CaseResolver.SELF,
        engagement: CaseEngagement = CaseEngagement.INVESTIGATION,
        region: str | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the function and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            watchers: The email addresses that are notified of the case, up to 30. They are visible in the
                configuration of the function.
            resolver: Who works on the case. Default: you.
            engagement: What the case is. Default: an investigation.
            region: The Region of the membership. Default: the stack's.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: There are more than 30 watchers, or one isn't an email address.
        """
        if len(watchers) > MAX_WATCHERS:
            raise ValueError(
                f"watchers has {len(watchers)} addresses. A case can have up to {MAX_WATCHERS}. Use the "
                "address of a group."
            )
        for email in watchers:
            if not _EMAIL.fullmatch(email):
                raise ValueError(f"watchers has {email!r}, which is not an email address.")
        where = region or Stack.of(scope).region
        function = LoggedFunction(
            scope,
            construct_id,
            description="Creates a case in AWS Security Incident Response for a finding",
            code=handler_code("incident_case_handler"),
            handler="incident_case_handler.handler.handle",
            timeout=Duration.minutes(1),
            environment={
                "RESOLVER_TYPE": resolver,
                "ENGAGEMENT_TYPE": engagement,
                "WATCHERS": json.dumps(list(watchers)),
                "CASE_REGION": where,
            },
        )
        _allow_cases(function, where)
        super().__init__(function, delivery=delivery)

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:
        """Allow the rule to invoke the function."""
        rule.node.add_validation(Validation(lambda: _errors(rule)))
        return super().connect(rule, dead_letter_queue)


def _allow_cases(function: LoggedFunction, region: str) -> None:
    stack = Stack.of(function)
    cases = stack.format_arn(
        service="security-ir",
        region=region,
        resource="case",
        resource_name="*",
        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
    )
    function.add_to_role_policy(iam.PolicyStatement(actions=["security-ir:CreateCase"], resources=[cases]))
    if isinstance(function.role, iam.Role):
        acknowledge(
            function.role,
            id=wildcard_finding(function, cases),
            reason="The ID of a case isn't known before it's created.",
        )


def _errors(rule: events.IRule) -> list[str]:
    if is_taken_apart(rule):
        return []
    return [
        f"The rule {rule.node.path} has SecurityIncidentCase as a target, and a case is about one finding. "
        "Wrap the target, which then gets one finding at a time: "
        "targets.EachFinding(targets.SecurityIncidentCase(...))."
    ]
