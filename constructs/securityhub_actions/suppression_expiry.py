"""What ends the suppressions of a stack: one function, which EventBridge Scheduler invokes every hour.

docs/adr/0016-suppressions-end-by-an-hourly-look.md explains why it's not one schedule for each of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Final, cast

from aws_cdk import CfnResource, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from securityhub_actions.acknowledgments import acknowledge, wildcard_finding
from securityhub_actions.delivery import dead_letter_queue_of
from securityhub_actions.handler_code import handler_code
from securityhub_actions.later import text_later
from securityhub_actions.logged_function import LoggedFunction
from securityhub_actions.places import stack_of
from securityhub_actions.publishing import allow_publishing
from securityhub_actions.quotas import AUTOMATION_RULE_V2
from securityhub_actions.schedules import SCHEDULED_TIME, Schedules

_ID: Final = "SecurityHubSuppressions"
# Lambda's maximum. What isn't done by then, the next hour does.
_TIMEOUT: Final = Duration.minutes(15)
_MAX_EVENT_AGE: Final = Duration.hours(6)
# A managed policy has room for 6,144 characters, and an ARN takes up to 112. The inline policies of a role
# have 10,240 together, which is too little for the 100 rules of each hub.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_RULES_OF_POLICY: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingRule:
    """A suppression of the stack.

    Attributes:
        key: What its marker has of it.
        digest: What its marker has of its filter.
        name: What messages call it.
        rule: The automation rule.
        reason: Why the findings are accepted.
        until: When it ends; None for never.
        topic: Whom to tell; None for nobody.
        enabled: Whether it's in force.
    """

    key: str
    digest: str
    name: str
    rule: CfnResource
    reason: str
    until: date | None
    topic: sns.ITopic | None
    enabled: bool

    @property
    def hub(self) -> str:
        """Whose findings it suppresses."""
        return "v2" if self.rule.cfn_resource_type == AUTOMATION_RULE_V2 else "cspm"


class SuppressionExpiry(Construct):
    """Ends the suppressions of a stack, and opens the findings that nothing suppresses any longer.

    Attributes:
        function: The function.
    """

    def __init__(self, stack: Stack, *, markers: str) -> None:
        """Create the function, its schedule, and their permissions. `expiry_of` creates it once."""
        super().__init__(stack, _ID)
        self._rules: list[EndingRule] = []
        self._topics: list[sns.ITopic] = []
        self._allowed: Counter[str] = Counter()
        self._statements: dict[tuple[str, tuple[str, ...]], iam.PolicyStatement] = {}
        self._may_list = False
        self.function = LoggedFunction(
            self,
            "Function",
            description="Ends suppressions of Security Hub findings, and opens what they suppressed",
            code=handler_code("suppression_handler"),
            handler="suppression_handler.handler.handle",
            timeout=_TIMEOUT,
            memory_size=512,
            environment={
                "MARKERS": markers,
                "IN_FORCE": text_later(self._in_force),
                "HUBS": text_later(lambda: ",".join(self._hubs())),
            },
        )
        self.function.configure_async_invoke(
            on_failure=destinations.SqsDestination(dead_letter_queue_of(self)),
            retry_attempts=2,
            max_event_age=_MAX_EVENT_AGE,
        )
        self._role = cast("iam.Role", self.function.role)
        self._watch(stack)
        # Whatever happens to be due.
        Schedules(self, "ScheduleGroup", self.function, purpose="that ends suppressions").add(
            "Schedule",
            description="Looks for suppressions that end",
            expression="cron(0 * * * ? *)",
            time_zone="UTC",
            event=text_later(self._input),
        )

    def _watch(self, stack: Stack) -> None:
        """Raise an alarm if a run leaves something to the next one, which it doesn't fail for."""
        unfinished = logs.MetricFilter(
            self,
            "Unfinished",
            log_group=self.function.log_group,
            filter_pattern=logs.FilterPattern.all_terms("Suppressions left to the next hourly run"),
            metric_namespace="SecurityHubActions",
            metric_name=f"{stack.stack_name}-SuppressionsUnfinished",
            metric_value="1",
        )
        cloudwatch.Alarm(
            self,
            "UnfinishedAlarm",
            alarm_description="A suppression could not be ended, or findings that it suppressed could not be "
            "opened, in two of the last three hours. Read the function's log, which says why. It's tried "
            "again every hour.",
            metric=unfinished.metric(period=Duration.hours(1), statistic=cloudwatch.Stats.SUM),
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=2,
            evaluation_periods=3,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def add(self, rule: EndingRule) -> None:
        """Watch a suppression."""
        is_first_of_hub = rule.hub not in self._hubs()
        self._rules.append(rule)
        if is_first_of_hub:
            self._allow_findings(is_v2=rule.hub == "v2")
        # The function knows a suppression before its rule exists, or it would open what the rule suppresses.
        if (function := self.function.node.default_child) is not None:
            rule.rule.node.add_dependency(function)
        self._allow_rule(rule)
        if rule.topic is not None and rule.topic not in self._topics:
            self._topics.append(rule.topic)
            allow_publishing(self.function, rule.topic)

    def _hubs(self) -> list[str]:
        return sorted({rule.hub for rule in self._rules})

    def _in_force(self) -> str:
        return ",".join(
            rule.key + (f":{rule.until:%Y%m%d}" if rule.until else "") for rule in self._rules if rule.enabled
        )

    def _input(self) -> str:
        stack = stack_of(self)
        suppressions = [
            {
                "key": rule.key,
                "digest": rule.digest,
                "name": rule.name,
                "hub": rule.hub,
                "rule": rule.rule.get_att("RuleArn").to_string(),
                "reason": rule.reason,
                "topic": rule.topic.topic_arn if rule.topic else None,
            }
            for rule in self._rules
            if rule.enabled
        ]
        # Without what is None: the AWS CDK leaves it out.
        return stack.to_json_string({"scheduledTime": SCHEDULED_TIME, "suppressions": suppressions})

    def _allow_findings(self, *, is_v2: bool) -> None:
        """Allow reading and updating findings. Both versions of an operation have one IAM action.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html
        """
        hub = stack_of(self).format_arn(
            service="securityhub",
            resource="hubv2" if is_v2 else "hub",
            resource_name="*" if is_v2 else "default",
        )
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["securityhub:BatchUpdateFindings", "securityhub:GetFindings"], resources=[hub]
            )
        )
        if is_v2:
            acknowledge(
                self._role,
                id=wildcard_finding(self._role, hub),
                reason="An account has one hub in a Region, whose ID AWS chooses.",
            )

    def _allow_rule(self, rule: EndingRule) -> None:
        """Allow reading a rule, and disabling one that ends. The function doesn't depend on the policy.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html
        """
        if not rule.enabled:
            return
        read, disable = {
            "cspm": ("securityhub:BatchGetAutomationRules", "securityhub:BatchUpdateAutomationRules"),
            "v2": ("securityhub:GetAutomationRuleV2", "securityhub:UpdateAutomationRuleV2"),
        }[rule.hub]
        if rule.until and rule.hub == "cspm":
            self._allow_list()
        number = self._allowed[rule.hub]
        self._allowed[rule.hub] += 1
        statement = self._statement(
            f"Rules{rule.hub.title()}{number // _RULES_OF_POLICY + 1}",
            (read, disable) if rule.until else (read,),
        )
        statement.add_resources(rule.rule.get_att("RuleArn").to_string())

    def _allow_list(self) -> None:
        if self._may_list:
            return
        self._may_list = True
        self._role.add_to_policy(
            iam.PolicyStatement(actions=["securityhub:ListAutomationRules"], resources=["*"])
        )
        acknowledge(
            self._role,
            id=wildcard_finding(self._role, "*"),
            reason="ListAutomationRules supports no narrower resource.",
        )

    def _statement(self, policy_id: str, actions: tuple[str, ...]) -> iam.PolicyStatement:
        """Return the statement of a policy that has the rules with the same actions, created on first use."""
        if (existing := self._statements.get((policy_id, actions))) is not None:
            return existing
        policy = self.node.try_find_child(policy_id)
        if not isinstance(policy, iam.ManagedPolicy):
            policy = iam.ManagedPolicy(self, policy_id, roles=[self._role])
        statement = iam.PolicyStatement(actions=list(actions))
        policy.add_statements(statement)
        self._statements[policy_id, actions] = statement
        return statement


def expiry_of(scope: Construct, *, markers: str) -> SuppressionExpiry:
    """Return what ends the suppressions of the scope's stack. It is created on first use."""
    stack = stack_of(scope)
    existing = stack.node.try_find_child(_ID)
    return existing if isinstance(existing, SuppressionExpiry) else SuppressionExpiry(stack, markers=markers)
