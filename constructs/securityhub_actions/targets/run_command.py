"""AWS Systems Manager Run Command on EC2 instances as a rule target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from aws_cdk import Annotations, ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm

from securityhub_actions.acknowledgments import acknowledge, wildcard_finding
from securityhub_actions.arguments import checked, checked_fields
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole, free_child_id
from securityhub_actions.targets.ssm_documents import (
    Parameters,
    SsmDocument,
    parameters_input,
    take_from_event,
)
from securityhub_actions.tokens import is_list_token, is_token

MAX_VALUES: Final = 50
MAX_KEY_LENGTH: Final = 128
MAX_VALUE_LENGTH: Final = 256
_SHELL_DOCUMENTS: Final = frozenset({"AWS-RunShellScript", "AWS-RunPowerShellScript"})


@checked_fields
@dataclass(frozen=True, slots=True)
class Instances:
    """The instances that run a command: by ID, or all instances that have a tag when the command runs.

    EventBridge allows 1 to 50 values, and can't take them from the event.

    Attributes:
        key: `InstanceIds`, or `tag:` followed by the tag key.
        values: The instance IDs or the tag values. An instance must match one of them.

    Raises:
        ValueError: There are no values or more than 50, a value is blank, a duplicate, or longer than 256
            characters, or the key is longer than 128.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RunCommandTarget.html
    """

    key: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MAX_VALUES:
            raise ValueError(
                f"{self.key} has {len(self.values)} values. EventBridge allows 1 to {MAX_VALUES}. Use a tag "
                "that all of the instances have, or add another rule."
            )
        if any(not value.strip() for value in self.values) or len(set(self.values)) < len(self.values):
            raise ValueError(f"{self.key} contains a blank or duplicate value: {list(self.values)}.")
        for said, text, most in (
            ("key", self.key, MAX_KEY_LENGTH),
            *(("value", one, MAX_VALUE_LENGTH) for one in self.values),
        ):
            if not is_token(text) and len(text) > most:
                raise ValueError(
                    f"The {said} {text!r} has {len(text)} characters. EventBridge allows {most}. Use another "
                    "tag."
                )

    @classmethod
    @checked
    def with_ids(cls, *instance_ids: str) -> Self:
        """Return 1 to 50 instances by their IDs: `i-...` (EC2) or `mi-...` (hybrid activation).

        Raises:
            ValueError: An ID isn't a valid instance ID.
        """
        if any(map(is_list_token, instance_ids)):
            raise ValueError(
                "instance_ids has a list that is known only at deployment, but the permission needs the ARN "
                "of each instance. Pass the IDs one by one, or use Instances.with_tag."
            )
        for instance_id in instance_ids:
            if not is_token(instance_id) and not instance_id.startswith(("i-", "mi-")):
                raise ValueError(
                    f"{instance_id!r} is not an instance ID. Instance IDs start with 'i-' (EC2) or 'mi-' "
                    "(hybrid)."
                )
        return cls("InstanceIds", instance_ids)

    @classmethod
    @checked
    def with_tag(cls, key: str, *values: str) -> Self:
        """Return the EC2 instances in the account and Region whose tag has one of 1 to 50 values.

        Raises:
            ValueError: The key is blank.
        """
        if not key.strip():
            raise ValueError(f"The tag key {key!r} is blank. Pass the key as the first argument.")
        return cls(f"tag:{key}", values)

    def permission(self, stack: Stack) -> iam.PolicyStatement:
        """Return the permission to send commands to these instances only."""
        if self.key == "InstanceIds":
            return iam.PolicyStatement(
                actions=["ssm:SendCommand"], resources=[_instance_arn(stack, value) for value in self.values]
            )
        return iam.PolicyStatement(
            actions=["ssm:SendCommand"],
            resources=[_instance_arn(stack, "*")],
            conditions={
                "StringEquals": {f"ssm:resourceTag/{self.key.removeprefix('tag:')}": list(self.values)}
            },
        )


def _instance_arn(stack: Stack, instance_id: str) -> str:
    hybrid = not is_token(instance_id) and instance_id.startswith("mi-")
    return stack.format_arn(
        service="ssm" if hybrid else "ec2",
        resource="managed-instance" if hybrid else "instance",
        resource_name=instance_id,
        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
    )


class RunCommand(Target):
    """Runs a Systems Manager command document on instances.

    Delivery succeeds when Systems Manager accepts the command. If the command fails on an instance, look for
    it in the command history. Each rule gets a role that can only send this document to these instances.

    The instances are fixed. To act on the instance that a finding is about, use `Automation` or a Lambda
    function.
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html#targets-specifics-run-command
    """

    @checked
    def __init__(
        self,
        document: str | ssm.CfnDocument,
        *,
        instances: Instances,
        parameters: Parameters | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            document: A Command document: the name of your own or an AWS-owned document, the ARN of a document
                that is shared with the account, or the document itself.
            instances: The instances that run the command.
            parameters: The document's parameters. Each value is one or more strings, which can be an
                `aws_events.EventField`. Text in a finding is untrusted input. Pass it only to documents whose
                parameters have an `allowedPattern`, never to a shell. Default: none.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The document name isn't valid, or an event field is part of a longer string.
        """
        super().__init__(delivery=delivery)
        self._document = SsmDocument(document)
        self._instances = instances
        self._input = parameters_input(parameters or {})
        self._is_shell_of_event = document in _SHELL_DOCUMENTS and take_from_event(parameters or {})

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to send the command to the instances."""
        self._warn_of_shell(rule)
        block = events.CfnRule.RunCommandTargetProperty(
            key=self._instances.key, values=list(self._instances.values)
        )
        return events.RuleTargetConfig(
            arn=self._document.arn(Stack.of(rule)),
            input=self._input,
            role=self._role(rule),
            run_command_parameters=events.CfnRule.RunCommandParametersProperty(run_command_targets=[block]),
        )

    def _role(self, rule: events.IRule) -> iam.Role:
        stack = Stack.of(rule)
        role = EventsRole(
            rule,
            free_child_id(rule, "RunCommandRole"),
            description="Lets EventBridge run a command on instances for Security Hub events",
            statements=[
                iam.PolicyStatement(actions=["ssm:SendCommand"], resources=[self._document.arn(stack)]),
                self._instances.permission(stack),
            ],
        )
        if self._instances.key != "InstanceIds":
            acknowledge(
                role,
                id=wildcard_finding(role, _instance_arn(stack, "*")),
                reason="A condition limits the instances to those with a tag, which aren't known before "
                "the command is sent.",
            )
        return role

    def _warn_of_shell(self, rule: events.IRule) -> None:
        if self._is_shell_of_event:
            Annotations.of(rule).add_warning_v2(
                "securityhub-actions:ShellCommandFromEvent",
                f"{rule.node.path} passes text from findings to the parameters of {self._document.name}. "
                "Anyone who can create a finding can then run commands on the instances. Create your own "
                "document with an allowedPattern for its parameters.",
            )
