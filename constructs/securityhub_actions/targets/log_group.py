"""An Amazon CloudWatch Logs log group as a rule target."""

from __future__ import annotations

import json
import re
from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.checks import Validation, known_length
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.delivery_places import check_target
from securityhub_actions.places import path_of
from securityhub_actions.rule_access import only_rules

MAX_POLICY_LENGTH: Final = 5120
_POLICY_ID: Final = "SecurityHubLogGroupPolicy"
_TEXT_OR_VARIABLE: Final = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>]*>')
_FIELDS: Final = {"timestamp", "message"}


class LogGroup(Target):
    """Writes the event to a log group. Each event gets its own log stream.

    CloudWatch Logs allows 10 resource policies per account and Region. All log groups of a stack share one
    policy, which allows only a log group's own rules to write events to it.
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-cloudwatchlogs-permissions
    """

    @checked
    def __init__(
        self,
        log_group: logs.ILogGroup,
        *,
        message: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            log_group: A log group in the rule's account and Region. Any name works, but the EventBridge
                console lists only names that start with `/aws/events/`.
            message: The log event: an object with the fields `timestamp` and `message`, both strings, at
                least one of which has a value of the event, such as an
                `aws_events_targets.LogGroupTargetInput`. Default: the whole event with its own time.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        The rule that gets the target raises ValueError if the message isn't such an object, which EventBridge
        would refuse.

        Source: https://github.com/aws/aws-cdk/pull/20748
        """
        super().__init__(delivery=delivery)
        self._log_group = log_group
        self._message = message

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to create log streams and write to them."""
        stack = Stack.of(rule)
        if self._message is not None:
            _check_message(self._message, rule)
        # The target's ARN below is built from the name, with the rule's Region.
        check_target(
            rule,
            events.RuleTargetConfig(arn=self._log_group.log_group_arn, target_resource=self._log_group),
        )
        policy = stack.node.try_find_child(_POLICY_ID)
        if not isinstance(policy, _LogGroupPolicy):
            policy = _LogGroupPolicy(stack, _POLICY_ID)
        policy.allow(self._log_group, rule)
        return events.RuleTargetConfig(
            # The ARN of the group itself. In the CDK, it ends in ":*" and refers to its streams.
            arn=stack.format_arn(
                service="logs",
                resource="log-group",
                resource_name=self._log_group.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            input=self._message,
        )


def _check_message(message: events.RuleTargetInput, rule: events.IRule) -> None:
    """Refuse what isn't a template of an object with both fields: EventBridge takes nothing else here."""
    template = _known(Stack.of(rule).resolve(message.bind(rule).input_template))
    try:
        fields = json.loads(_TEXT_OR_VARIABLE.sub(_as_text, template))
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        raise ValueError(
            f"The message of the log group target of {path_of(rule)} has the template {template!r}. "
            "EventBridge requires an object with the fields timestamp and message, and a value of the event. "
            "Use aws_events_targets.LogGroupTargetInput.from_object_v2(message=...), or omit the message to "
            "write the event."
        )


def _known(template: object) -> str:
    """Return a template without what only a deployment determines."""
    match template:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(part for part in parts if isinstance(part, str))
    return template if isinstance(template, str) else ""


def _as_text(part: re.Match[str]) -> str:
    return part[0] if part[0].startswith('"') else '""'


class _LogGroupPolicy(logs.ResourcePolicy):
    """The resource policy that allows the rules of a stack to write to their log groups."""

    def __init__(self, stack: Stack, construct_id: str) -> None:
        super().__init__(stack, construct_id)
        self._rules: dict[str, list[str]] = {}
        self._statements: dict[str, iam.PolicyStatement] = {}
        # EventBridge doesn't say for which rule it creates a log stream, so a condition would deny them all.
        # https://github.com/aws-samples/serverless-patterns/pull/618
        self._streams = _statement("logs:CreateLogStream")
        self.document.add_statements(self._streams)
        self.node.add_validation(Validation(self._length_errors))

    def allow(self, log_group: logs.ILogGroup, rule: events.IRule) -> None:
        arn = log_group.log_group_arn
        if arn not in self._statements:
            self._streams.add_resources(arn)
            self._statements[arn] = _statement("logs:PutLogEvents", arn)
            self.document.add_statements(self._statements[arn])
        rules = self._rules.setdefault(arn, [])
        if rule.rule_arn not in rules:
            rules.append(rule.rule_arn)
        for operator, values in only_rules(Stack.of(rule), rules).items():
            self._statements[arn].add_condition(operator, values)

    def _length_errors(self) -> list[str]:
        length = known_length(Stack.of(self).resolve(self.document))
        if length <= MAX_POLICY_LENGTH:
            return []
        return [
            f"The resource policy for the log groups of {Stack.of(self).node.path} has {length} characters. "
            f"CloudWatch Logs allows {MAX_POLICY_LENGTH}. Use fewer rules that write to log groups, or move "
            "some to another stack."
        ]


def _statement(action: str, *resources: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("events.amazonaws.com")],
        actions=[action],
        resources=list(resources),
    )
