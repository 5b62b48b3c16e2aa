"""What deployed resources have, of the types whose references to other stacks matter.

A stack's references are resolved together, so it's enough to read some types: each stack of this app that
refers to another one has a resource of these with the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.aws import Aws, code_of

_GONE: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchEntity",
        "NotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
Names = Mapping[str, str]
"""The physical IDs of a stack's resources, by logical ID."""
_Resource = Mapping[str, Any]


def is_read(resource_type: str, property_name: str) -> bool:
    """Whether `live_resource` returns what a resource has for a property of its template."""
    return resource_type in _READERS and property_name in _READERS[resource_type][0]


def live_resource(aws: Aws, resource: _Resource, logical_id: str, names: Names) -> object | None:
    """Return what a deployed resource has, as AWS describes it.

    Args:
        aws: The account and Region.
        resource: The resource as in the template.
        logical_id: The logical ID.
        names: The physical IDs of the stack's resources, by logical ID.

    Returns:
        The description, or None if the resource doesn't exist, or is of a type that isn't read.
    """
    if resource["Type"] not in _READERS or logical_id not in names:
        return None
    _, reader = _READERS[resource["Type"]]
    from botocore.exceptions import ClientError  # noqa: PLC0415 - takes long to import

    try:
        return reader(aws, names[logical_id], resource, names)
    except ClientError as error:
        if code_of(error) not in _GONE:
            raise
        return None


def _function(aws: Aws, name: str, _resource: _Resource, _names: Names) -> object:
    found: object = aws.client("lambda").get_function_configuration(FunctionName=name)
    return found


def _policy(aws: Aws, _name: str, resource: _Resource, names: Names) -> object | None:
    """That of a role; a policy of a user or group isn't read."""
    properties = resource["Properties"]
    roles = [_name_of(one, names) for one in properties.get("Roles", ())]
    return list(_inline_policies(aws, [(role, properties["PolicyName"]) for role in roles if role])) or None


def _role(aws: Aws, name: str, resource: _Resource, _names: Names) -> object | None:
    policies = resource["Properties"].get("Policies", ())
    return list(_inline_policies(aws, [(name, one["PolicyName"]) for one in policies])) or None


def _inline_policies(aws: Aws, policies: list[tuple[str, str]]) -> Iterator[object]:
    client = aws.client("iam")
    for role, policy in policies:
        yield client.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def _name_of(value: object, names: Names) -> str | None:
    if isinstance(value, Mapping):
        return names.get(str(value.get("Ref")))
    return str(value)


def _schedule(aws: Aws, name: str, resource: _Resource, names: Names) -> object:
    group = _name_of(resource["Properties"].get("GroupName", "default"), names)
    return aws.client("scheduler").get_schedule(Name=name, GroupName=group or "default")["Target"]


def _table(aws: Aws, name: str, _resource: _Resource, _names: Names) -> object:
    return aws.client("dynamodb").describe_table(TableName=name)["Table"].get("SSEDescription")


def _queue(aws: Aws, url: str, _resource: _Resource, _names: Names) -> object:
    return aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def _topic(aws: Aws, arn: str, _resource: _Resource, _names: Names) -> object:
    return aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]


_Reader = Callable[[Aws, str, _Resource, Names], object | None]
# By type, the properties in the template about which the reader says what the resource has.
_READERS: Final[Mapping[str, tuple[frozenset[str], _Reader]]] = {
    "AWS::DynamoDB::Table": (frozenset({"SSESpecification"}), _table),
    "AWS::IAM::Policy": (frozenset({"PolicyDocument"}), _policy),
    "AWS::IAM::Role": (frozenset({"Policies"}), _role),
    "AWS::Lambda::Function": (
        frozenset({"DeadLetterConfig", "Environment", "KmsKeyArn", "Layers", "Role", "VpcConfig"}),
        _function,
    ),
    "AWS::SNS::Topic": (frozenset({"KmsMasterKeyId"}), _topic),
    "AWS::SQS::Queue": (frozenset({"KmsMasterKeyId", "RedrivePolicy"}), _queue),
    "AWS::Scheduler::Schedule": (frozenset({"Target"}), _schedule),
}
