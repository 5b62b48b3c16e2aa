"""The identifiers and ARNs that CloudFormation returns for resources, as far as a template determines them.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CUSTOM_ACTION_TYPES: Final = frozenset({"AWS::SecurityHub::ActionTarget", "Custom::SecurityHubActionTarget"})
_CUSTOM_ACTION_ARN: Final = "arn:{partition}:securityhub:{region}:{account}:action/custom/{name}"


@dataclass(frozen=True, slots=True)
class _Form:
    """How a resource type is identified.

    Attributes:
        name: The property with its name.
        arn: Its ARN.
        ref_is_arn: Whether `Ref` returns the ARN instead of the name.
    """

    name: str
    arn: str
    ref_is_arn: bool = False


_FORMS: Final[Mapping[str, _Form]] = {
    **dict.fromkeys(CUSTOM_ACTION_TYPES, _Form("Id", _CUSTOM_ACTION_ARN, ref_is_arn=True)),
    "AWS::ApiGateway::RestApi": _Form("Name", "arn:{partition}:apigateway:{region}::/restapis/{name}"),
    "AWS::Batch::JobQueue": _Form(
        "JobQueueName", "arn:{partition}:batch:{region}:{account}:job-queue/{name}", ref_is_arn=True
    ),
    "AWS::CodeBuild::Project": _Form("Name", "arn:{partition}:codebuild:{region}:{account}:project/{name}"),
    "AWS::DynamoDB::Table": _Form("TableName", "arn:{partition}:dynamodb:{region}:{account}:table/{name}"),
    "AWS::ECS::Cluster": _Form("ClusterName", "arn:{partition}:ecs:{region}:{account}:cluster/{name}"),
    "AWS::Events::ApiDestination": _Form(
        "Name", "arn:{partition}:events:{region}:{account}:api-destination/{name}"
    ),
    "AWS::Events::Connection": _Form("Name", "arn:{partition}:events:{region}:{account}:connection/{name}"),
    "AWS::Events::EventBus": _Form("Name", "arn:{partition}:events:{region}:{account}:event-bus/{name}"),
    "AWS::Events::Rule": _Form("Name", "arn:{partition}:events:{region}:{account}:rule/{name}"),
    "AWS::IAM::ManagedPolicy": _Form(
        "ManagedPolicyName", "arn:{partition}:iam::{account}:policy/{name}", ref_is_arn=True
    ),
    "AWS::IAM::Role": _Form("RoleName", "arn:{partition}:iam::{account}:role/{name}"),
    "AWS::Kinesis::Stream": _Form("Name", "arn:{partition}:kinesis:{region}:{account}:stream/{name}"),
    "AWS::KinesisFirehose::DeliveryStream": _Form(
        "DeliveryStreamName", "arn:{partition}:firehose:{region}:{account}:deliverystream/{name}"
    ),
    "AWS::Lambda::Function": _Form(
        "FunctionName", "arn:{partition}:lambda:{region}:{account}:function:{name}"
    ),
    "AWS::Logs::LogGroup": _Form(
        "LogGroupName", "arn:{partition}:logs:{region}:{account}:log-group:{name}:*"
    ),
    "AWS::S3::Bucket": _Form("BucketName", "arn:{partition}:s3:::{name}"),
    "AWS::SNS::Topic": _Form("TopicName", "arn:{partition}:sns:{region}:{account}:{name}", ref_is_arn=True),
    "AWS::SQS::Queue": _Form("QueueName", "arn:{partition}:sqs:{region}:{account}:{name}"),
    "AWS::StepFunctions::StateMachine": _Form(
        "StateMachineName", "arn:{partition}:states:{region}:{account}:stateMachine:{name}", ref_is_arn=True
    ),
}
_ARN_ATTRIBUTES: Final = frozenset({"Arn", "ActionTargetArn", "TopicArn"})
_QUEUE: Final = "AWS::SQS::Queue"
_RULE: Final = "AWS::Events::Rule"


def identifying_properties(resource_type: str) -> Sequence[str]:
    """Return the names of the properties on which the identifiers and ARNs of resources depend."""
    form = _FORMS.get(resource_type)
    if form is None:
        return ()
    return (form.name, "EventBusName") if resource_type == _RULE else (form.name,)


def name_property_of(resource_type: str) -> str | None:
    """Return the property with the name of a resource, or None if its type is unknown."""
    form = _FORMS.get(resource_type)
    return None if form is None else form.name


def identifier_of(
    resource_type: str, properties: Mapping[str, Any], unknown_name: str, environment: Mapping[str, str]
) -> str | None:
    """Return what `Ref` returns, or None if that's unknown."""
    form = _FORMS.get(resource_type)
    if resource_type == _QUEUE:
        name = properties.get("QueueName", unknown_name)
        return "https://sqs.{region}.{suffix}/{account}/".format(**environment) + str(name)
    if form is None:
        return None
    if form.ref_is_arn:
        return arn_of(resource_type, properties, unknown_name, environment)
    name = str(properties.get(form.name, unknown_name))
    # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131
    return f"{bus}|{name}" if (bus := _bus_of(resource_type, properties)) else name


def attribute_of(
    attribute: str,
    resource_type: str,
    properties: Mapping[str, Any],
    unknown_name: str,
    environment: Mapping[str, str],
) -> str | None:
    """Return what `Fn::GetAtt` returns, or None if that's unknown."""
    if attribute in _ARN_ATTRIBUTES:
        return arn_of(resource_type, properties, unknown_name, environment)
    if attribute == "QueueName":
        return str(properties.get("QueueName", unknown_name))
    return None


def arn_of(
    resource_type: str, properties: Mapping[str, Any], unknown_name: str, environment: Mapping[str, str]
) -> str | None:
    """Return the ARN of a resource, or None if its form is unknown."""
    form = _FORMS.get(resource_type)
    if form is None:
        return None
    name = str(properties.get(form.name, unknown_name))
    if bus := _bus_of(resource_type, properties):
        name = f"{bus}/{name}"
    return form.arn.format(**environment, name=name)


def _bus_of(resource_type: str, properties: Mapping[str, Any]) -> str:
    """Return the name of a rule's event bus, or an empty string if it's the default one, or no rule."""
    name = str(properties.get("EventBusName", "default")).rpartition("/")[2]
    return name if resource_type == _RULE and name != "default" else ""
