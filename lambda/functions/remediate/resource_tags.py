"""Reads the current tags of resources through the Resource Groups Tagging API of the member account.

It needs one permission for all services. A tag that was set seconds ago can be missing there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.remediate.allow_and_deny import UnreadableTagsError

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

_ACCOUNT_ID: Final = re.compile(r"AWS::::Account:[0-9]{12}")
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):"
    r"(?P<rest>.+)"
)
# GetResources leaves out what it doesn't support just as it leaves out what was never tagged. Only a resource
# of a supported type that is missing has no tags. IAM users and roles, for example, aren't supported:
# https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
_SUPPORTED: Final[Mapping[str, str]] = {
    "cloudtrail": r"trail/[^/:]+",
    "dynamodb": r"table/[^/:]+",
    "ec2": r"(instance|network-interface|security-group|subnet|volume|vpc)/[^/:]+",
    "kms": r"key/[^/:]+",
    "lambda": r"function:[^/:]+",
    "rds": r"(cluster|cluster-snapshot|db|snapshot):[a-z][a-z0-9:-]*",
    "s3": r"[^/:]+",
    "secretsmanager": r"secret:[^:]+",
    "sns": r"[^/:]+",
    "sqs": r"[^/:]+",
}


class ResourceTagsError(Exception):
    """The tags could not be read this time."""


def read_tags(resource: str, finding: Finding, session: Session) -> dict[str, str]:
    """Read the tags of a resource.

    Args:
        resource: Its ARN, or its ID in Security Hub. An account has no tags.
        finding: Names the account and Region that it must be in.
        session: Credentials in that account, and that Region.

    Returns:
        The tags; none if it has none or no longer exists.

    Raises:
        UnreadableTagsError: There is no way to find out whether it has any.
        ResourceTagsError: The API denies the request or doesn't respond.

    Source: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    if _ACCOUNT_ID.fullmatch(resource):
        return {}
    _require_readable(resource, finding)
    client: Any = session.client("resourcegroupstaggingapi")
    try:
        found = client.get_resources(ResourceARNList=[resource])["ResourceTagMappingList"]
    except (ClientError, BotoCoreError) as error:
        raise ResourceTagsError(
            f"The tags of {resource} could not be read: {error} Check that the account's member role was "
            "deployed with the present settings, so that it has tag:GetResources, and that no service "
            "control policy denies it."
        ) from error
    return {tag["Key"]: tag["Value"] for one in found for tag in one["Tags"]}


def _require_readable(resource: str, finding: Finding) -> None:
    """Refuse what GetResources would leave out even if it has tags: an unsupported type, or another place."""
    arn = _ARN.fullmatch(resource)
    why = ""
    if arn is None or not re.fullmatch(_SUPPORTED.get(arn["service"], r"(?!)"), arn["rest"]):
        why = "they cannot be read through the Resource Groups Tagging API"
    elif arn["partition"] != finding.product_arn.split(":")[1] or not _is_here(resource, arn, finding):
        why = f"it is not in the finding's account and Region, {finding.aws_account_id} and {finding.region}"
    if why:
        raise UnreadableTagsError(f"The tags of {resource} decide whether it may be changed, but {why}")


def _is_here(resource: str, arn: re.Match[str], finding: Finding) -> bool:
    if arn["service"] == "s3":  # the ARN of a bucket has neither Region nor account
        regions = {one.region for one in finding.resources if one.id == resource}
        return arn["region"] == arn["account"] == "" and regions <= {None, finding.region}
    return (arn["region"], arn["account"]) == (finding.region, finding.aws_account_id)
