"""A stack creates what there wasn't: under names that it generates, or that nothing has.

MiniStack derives most names from those of the stack and the logical ID. So a stack that was deleted and
deployed again would find what its predecessor retained, and what other stacks know by an outdated name
would still be there. It also takes over what has the name that a template gives, which AWS refuses.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.core.responses import new_uuid
from ministack.services import cloudwatch, eventbridge, iam, kinesis, kms, secretsmanager, sns, sqs
from ministack.services.cloudformation import changesets, provisioners, stacks

# Its resources are named after it, which has a name of its own; and MiniStack keeps no seed for them.
_NESTED: Final = "AWS::CloudFormation::Stack"
Properties = Mapping[str, Any]


def register() -> None:
    """Let stacks create only what is new, for this process."""
    provision = stacks._provision_resource  # noqa: SLF001 - see tests/emulator/contract

    def provision_anew(resource_type: str, logical_id: str, properties: Properties, stack_name: str) -> Any:  # noqa: ANN401 - MiniStack's types
        property_name, exists = _LOOKUPS.get(resource_type, ("", None))
        name = properties.get(property_name)
        if name and exists and exists(str(name), properties):
            raise ValueError(f"Resource of type '{resource_type}' with identifier '{name}' already exists.")
        if resource_type != _NESTED:
            # MiniStack keeps it with the resource, so that an update finds the name again.
            provisioners._NAME_SEED.set(new_uuid()[:8])  # noqa: SLF001
        return provision(resource_type, logical_id, properties, stack_name)

    stacks._provision_resource = provision_anew  # noqa: SLF001


def _importable(resource_type: str) -> Callable[[str, Properties], bool]:
    """Return whether there is a resource that a stack could import by its name."""

    def exists(name: str, _properties: Properties) -> bool:
        _, problem = changesets._IMPORT_LOOKUPS[resource_type]  # noqa: SLF001
        return problem(name) is None

    return exists


def _in(store: Any, separator: str = "") -> Callable[[str, Properties], bool]:  # noqa: ANN401 - MiniStack's
    """Return whether MiniStack has something of a name.

    Args:
        store: Where it's looked for.
        separator: What precedes the name, if the keys of the store are ARNs.
    """

    def exists(name: str, _properties: Properties) -> bool:
        if separator:
            return any(str(key).endswith(f"{separator}{name}") for key, _ in store.items())
        return name in store

    return exists


def _has_rule(name: str, properties: Properties) -> bool:
    bus = provisioners._eb_rule_bus_name(properties)  # noqa: SLF001
    return eventbridge._rule_key(name, bus) in eventbridge._rules  # noqa: SLF001


# What MiniStack would take over: the property with the name, and whether there is one. A secret that is
# scheduled for deletion keeps its name.
# Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
# https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-sns/blob/master/aws-sns-topic/src/main/java/software/amazon/sns/topic/CreateHandler.java
# https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-events/blob/master/aws-events-rule/src/main/java/software/amazon/events/rule/CreateHandler.java
# https://github.com/ACloudGuru/serverless-plugin-aws-alerts/issues/242 (alarms and dashboards)
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sqs-queue.html
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_LOOKUPS: Final[Mapping[str, tuple[str, Callable[[str, Properties], bool]]]] = {
    "AWS::CloudWatch::Alarm": ("AlarmName", _in(cloudwatch._alarms)),  # noqa: SLF001
    "AWS::CloudWatch::Dashboard": ("DashboardName", _in(cloudwatch._dashboards)),  # noqa: SLF001
    "AWS::DynamoDB::Table": ("TableName", _importable("AWS::DynamoDB::Table")),
    "AWS::Events::Rule": ("Name", _has_rule),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", _in(iam._policies, separator="/")),  # noqa: SLF001
    "AWS::IAM::Role": ("RoleName", _importable("AWS::IAM::Role")),
    "AWS::KMS::Alias": ("AliasName", _in(kms._aliases, separator=":")),  # noqa: SLF001
    "AWS::Kinesis::Stream": ("Name", _in(kinesis._streams)),  # noqa: SLF001
    "AWS::Logs::LogGroup": ("LogGroupName", _importable("AWS::Logs::LogGroup")),
    "AWS::SNS::Topic": ("TopicName", _in(sns._topics, separator=":")),  # noqa: SLF001
    "AWS::SQS::Queue": ("QueueName", _in(sqs._queue_name_to_url)),  # noqa: SLF001
    "AWS::SecretsManager::Secret": ("Name", _in(secretsmanager._secrets)),  # noqa: SLF001
}
