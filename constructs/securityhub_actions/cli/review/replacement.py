"""When CloudFormation replaces a resource, and what is lost with the old one.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES, name_property_of
from securityhub_actions.cli.review.pairs import Pair
from securityhub_actions.cli.review.resources import Resource

# Source: "Update requires: Replacement" on the page of each type,
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
REPLACING: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(CUSTOM_ACTION_TYPES, frozenset({"Id"})),
    "AWS::CloudWatch::Alarm": frozenset({"AlarmName"}),
    "AWS::DynamoDB::Table": frozenset({"ImportSourceSpecification", "TableName"}),
    "AWS::Events::ApiDestination": frozenset({"Name"}),
    "AWS::Events::Archive": frozenset({"ArchiveName", "SourceArn"}),
    "AWS::Events::Connection": frozenset({"Name"}),
    "AWS::Events::EventBus": frozenset({"Name"}),
    "AWS::Events::EventBusPolicy": frozenset({"EventBusName", "StatementId"}),
    "AWS::Events::Rule": frozenset({"Name"}),
    "AWS::IAM::ManagedPolicy": frozenset({"Description", "ManagedPolicyName", "Path"}),
    "AWS::IAM::Role": frozenset({"Path", "RoleName"}),
    "AWS::Kinesis::Stream": frozenset({"Name"}),
    "AWS::KinesisFirehose::DeliveryStream": frozenset(
        {
            "DatabaseSourceConfiguration",
            "DeliveryStreamName",
            "DeliveryStreamType",
            "DirectPutSourceConfiguration",
            "KinesisStreamSourceConfiguration",
            "MSKSourceConfiguration",
        }
    ),
    "AWS::KMS::Alias": frozenset({"AliasName"}),
    "AWS::KMS::Key": frozenset(),
    "AWS::Lambda::EventSourceMapping": frozenset(
        {"EventSourceArn", "SelfManagedEventSource", "StartingPosition", "StartingPositionTimestamp"}
    ),
    "AWS::Lambda::Function": frozenset({"FunctionName", "PackageType", "TenancyConfig"}),
    "AWS::Logs::LogGroup": frozenset({"LogGroupName"}),
    "AWS::Logs::LogStream": frozenset({"LogGroupName", "LogStreamName"}),
    "AWS::Logs::ResourcePolicy": frozenset({"PolicyName"}),
    "AWS::S3::Bucket": frozenset({"BucketName", "BucketNamePrefix", "BucketNamespace"}),
    "AWS::S3::BucketPolicy": frozenset({"Bucket"}),
    "AWS::SecretsManager::Secret": frozenset({"Name"}),
    "AWS::SNS::Subscription": frozenset({"Endpoint", "Protocol", "TopicArn"}),
    "AWS::SNS::Topic": frozenset({"FifoTopic", "TopicName"}),
    "AWS::SQS::Queue": frozenset({"FifoQueue", "QueueName"}),
    "AWS::SSM::Document": frozenset({"DocumentType", "Name"}),
    "AWS::SSM::Parameter": frozenset({"Name"}),
    "AWS::StepFunctions::StateMachine": frozenset({"StateMachineName", "StateMachineType"}),
}
# Properties that replace a resource depending on how they change.
MAYBE_REPLACING: Final[Mapping[str, frozenset[str]]] = {
    "AWS::DynamoDB::Table": frozenset({"KeySchema"}),
    "AWS::Events::Rule": frozenset({"EventBusName"}),
}
# Replacing one of them changes nothing that its other notes don't say.
HARMLESS: Final = frozenset(
    {
        "AWS::Events::EventBusPolicy",
        "AWS::IAM::Policy",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::LogStream",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::ResourcePolicy",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
)
_LOST: Final[Mapping[str, str]] = {
    "AWS::DynamoDB::Table": "its items",
    "AWS::Events::Archive": "the archived events",
    "AWS::Kinesis::Stream": "the records in it",
    "AWS::KinesisFirehose::DeliveryStream": "the records that wait in it",
    "AWS::KMS::Key": "what is encrypted with it, after the waiting period",
    "AWS::Logs::LogGroup": "its log events",
    "AWS::S3::Bucket": "its objects (CloudFormation fails to delete a bucket that isn't empty)",
    "AWS::SecretsManager::Secret": "its value",
    "AWS::SNS::Topic": "the subscriptions that aren't in the stack",
    "AWS::SQS::Queue": "the messages in it",
    "AWS::SSM::Parameter": "its value and history",
}
_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(CUSTOM_ACTION_TYPES, "action"),
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::DynamoDB::Table": "table",
    "AWS::Events::Archive": "archive",
    "AWS::Events::Rule": "rule",
    "AWS::IAM::ManagedPolicy": "managed policy",
    "AWS::IAM::Policy": "policy",
    "AWS::IAM::Role": "role",
    "AWS::Kinesis::Stream": "data stream",
    "AWS::KinesisFirehose::DeliveryStream": "Firehose stream",
    "AWS::KMS::Key": "KMS key",
    "AWS::Lambda::EventInvokeConfig": "settings of asynchronous invocation",
    "AWS::Lambda::EventSourceMapping": "event source",
    "AWS::Lambda::Function": "function",
    "AWS::Lambda::LayerVersion": "layer",
    "AWS::Logs::LogGroup": "log group",
    "AWS::Logs::MetricFilter": "metric filter",
    "AWS::S3::Bucket": "bucket",
    "AWS::S3::BucketPolicy": "bucket policy",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::SNS::Subscription": "subscription",
    "AWS::SNS::Topic": "topic",
    "AWS::SNS::TopicPolicy": "topic policy",
    "AWS::SQS::Queue": "queue",
    "AWS::SQS::QueuePolicy": "queue policy",
    "AWS::SSM::Document": "document",
    "AWS::SSM::Parameter": "parameter",
    "AWS::StepFunctions::StateMachine": "state machine",
}
# Of types whose ARNs aren't needed elsewhere.
_NAME_PROPERTIES: Final = {
    "AWS::Events::Archive": "ArchiveName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SSM::Document": "Name",
    "AWS::SSM::Parameter": "Name",
}
_NAME: Final = re.compile(r"(?:Name|Identifier|Id)$")


def word_for(resource_type: str) -> str:
    """Return what a resource is, such as `queue`."""
    return _WORDS.get(resource_type, resource_type)


def lost_with(resource: Resource) -> str:
    """Return what is lost when a resource is deleted; an empty string if that's nothing of value."""
    return _LOST.get(resource.type, "")


def replacing_properties(pair: Pair) -> tuple[list[str], bool]:
    """Return the changed properties for which CloudFormation replaces a resource, and whether it does."""
    if pair.before is None or pair.after is None:
        return [], True
    changed = changed_names(pair.before.properties, pair.after.properties)
    resource_type = pair.any.type
    if resource_type in REPLACING:
        certain = sorted(changed & REPLACING[resource_type])
        return (
            (certain, True)
            if certain
            else (
                sorted(changed & MAYBE_REPLACING.get(resource_type, frozenset())),
                False,
            )
        )
    return sorted(name for name in changed if _NAME.search(name)), False


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the names of the properties that differ."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def taken_name(pair: Pair) -> str | None:
    """Return the name that the new resource of a pair needs before the old one gives it up.

    Source: https://repost.aws/knowledge-center/cloudformation-custom-name
    """
    name = _name_property_of(pair.any.type)
    if name is None or pair.before is None or pair.after is None:
        return None
    if not pair.is_renamed and not _is_replaced(pair):
        return None
    taken = pair.after.properties.get(name)
    return str(taken) if taken is not None and taken == pair.before.properties.get(name) else None


def _is_replaced(pair: Pair) -> bool:
    names, certain = replacing_properties(pair)
    return bool(names) and certain


def _name_property_of(resource_type: str) -> str | None:
    return name_property_of(resource_type) or _NAME_PROPERTIES.get(resource_type)
