"""Encrypts a topic at rest with a customer managed KMS key.

The key that AWS manages for SNS would lock out every AWS service that publishes to the topic, because nobody
can let it in. With a customer managed key, publishers need permissions of KMS: the plan names those that the
topic's policy lets publish. Others may be let by policies of their own.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/sns-controls.html#sns-1
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import (
    CannotRemediateError,
    Change,
    Plan,
    Setting,
    name_in_own_arn,
    nothing_to_restore,
    resource_of,
)

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("SNS.1",)
RESOURCE_TYPES: Final = ("AwsSnsTopic",)
DESCRIPTION: Final = "Encrypts a topic at rest with a customer managed KMS key"
PARAMETERS: Final = {
    "kms_key": {
        "description": "a customer managed key whose policy lets the publishers use it: 'alias/NAME', if "
        "every member has a key with that alias, or a key ID, or the ARN of either; not an AWS managed key, "
        "such as alias/aws/sns, because AWS services couldn't publish to the topic anymore",
        "pattern": r"alias/(?!aws/)[A-Za-z0-9/_-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}"
        r"|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias(?!/aws/))/[A-Za-z0-9/_-]+",
    },
}
STATEMENTS: Final = (
    {
        # The finding decides which topic it is.
        "Action": ("sns:GetTopicAttributes", "sns:SetTopicAttributes"),
        "Resource": ("arn:${Partition}:sns:${Region}:${Account}:*",),
    },
    # An alias is as good as the key behind it, which is another in each account and Region. A key that all
    # members share is in an account of its own, whose policy also has to allow this:
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    {"Action": ("kms:DescribeKey",), "Resource": ("arn:${Partition}:kms:${Region}:*:key/*",)},
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("sns:GetTopicAttributes", "sns:SetTopicAttributes"),
        "Resource": ("arn:${Partition}:sns:${Region}:${Account}:*",),
    },
)

_KEY_ATTRIBUTE: Final = "KmsMasterKeyId"
_NO_SUCH_KEY: Final = ("InvalidArnException", "NotFoundException")
_REQUIRED_OF_KEY: Final = {"KeyManager": "CUSTOMER", "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT"}
_PUBLISH: Final = "sns:publish"
_EQUALS: Final = ("StringEquals", "StringLike")
_OWNERS: Final = ("aws:principalaccount", "aws:sourceaccount", "aws:sourceowner")


def plan(finding: Finding, session: Session, parameters: Mapping[str, str]) -> Plan:
    """Read whether the topic is encrypted, with whatever key, and who publishes to it."""
    topic = _topic(finding)
    client = session.client("sns")
    try:
        attributes = client.get_topic_attributes(TopicArn=topic)["Attributes"]
    except client.exceptions.NotFoundException:
        return Plan.gone(topic, "The topic")
    if key := attributes.get(_KEY_ATTRIBUTE):
        return Plan.nothing(topic, f"The topic is already encrypted with {key}")
    # SNS would take any key, and refuse to publish later.
    _check_key(parameters["kms_key"], session)
    description = f"Encrypt the topic with {parameters['kms_key']}"
    if publishers := sorted(set(_publishers(json.loads(attributes.get("Policy") or "{}")))):
        description += (
            f"; its policy lets {', '.join(publishers)} publish, who need kms:GenerateDataKey* and "
            "kms:Decrypt of the key"
        )
    return Plan(
        resource=topic,
        description=description,
        prior_state={_KEY_ATTRIBUTE: ""},
        is_needed=True,
    )


def apply(plan: Plan, session: Session, parameters: Mapping[str, str]) -> Change:
    """Give the topic the key. Messages from before stay as they are."""
    _set_key(plan.resource, parameters["kms_key"], session)
    return replace(plan.done(), left={_KEY_ATTRIBUTE: parameters["kms_key"]})


def look(change: Change, session: Session) -> list[Setting]:
    """Read which key the topic has. SNS returns it as it was given, also an alias.

    Raises:
        CannotRemediateError: The topic no longer exists.

    Source: https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/sns/topic.go
    """
    client = session.client("sns")
    try:
        attributes = client.get_topic_attributes(TopicArn=change.resource)["Attributes"]
    except client.exceptions.NotFoundException as error:
        raise nothing_to_restore("The topic") from error
    left = (change.left or {}).get(_KEY_ATTRIBUTE)
    return [Setting(name=_KEY_ATTRIBUTE, before="", left=left, now=attributes.get(_KEY_ATTRIBUTE, ""))]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Take the key away."""
    _set_key(change.resource, "", session)


def _topic(finding: Finding) -> str:
    resource = resource_of(finding, RESOURCE_TYPES)
    name_in_own_arn(resource, finding, service="sns", pattern=r"[A-Za-z0-9_-]+(\.fifo)?")
    return resource.id


def _check_key(key: str, session: Session) -> None:
    client: Any = session.client("kms")
    try:
        found: Mapping[str, Any] = client.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _NO_SUCH_KEY:
            raise CannotRemediateError(
                f"There is no key {key} in this account and Region. Create it there, or change kms_key in "
                "settings.toml."
            ) from error
        raise
    for field, required in _REQUIRED_OF_KEY.items():
        if found[field] != required:
            raise CannotRemediateError(
                f"A topic can be encrypted with a key whose {field} is {required}, but that of {key} is "
                f"{found[field]}. Correct the key, or change kms_key in settings.toml."
            )


def _publishers(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield the principals that a topic's policy lets publish, in its own words."""
    for statement in _listed(policy.get("Statement", [])):
        actions = [action.lower() for action in _listed(statement.get("Action", []))]
        if statement.get("Effect") == "Allow" and any(fnmatchcase(_PUBLISH, action) for action in actions):
            principal = statement.get("Principal", {})
            for kind in principal.values() if isinstance(principal, Mapping) else [principal]:
                for one in _listed(kind):
                    yield from _narrowed(statement) if one == "*" else [one]


def _narrowed(statement: Mapping[str, Any]) -> Iterator[str]:
    """Yield whom a statement about everybody means: with the policy of a new topic, its own account.

    Source: https://github.com/awsdocs/iam-user-guide/issues/111
    """
    conditions = statement.get("Condition") or {}
    accounts = [
        f"account {account}"
        for operator, keys in conditions.items()
        for key, value in keys.items()
        if operator in _EQUALS and key.lower() in _OWNERS
        for account in _listed(value)
    ]
    yield from accounts or ["* under conditions" if conditions else "*"]


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - a policy has one of a thing, or a list
    return value if isinstance(value, list) else [value]


def _set_key(topic: str, key: str, session: Session) -> None:
    session.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName=_KEY_ATTRIBUTE, AttributeValue=key
    )
