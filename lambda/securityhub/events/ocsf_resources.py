"""Types and IDs of resources in OCSF, in the terms of ASFF, in which remediations and settings name them.

OCSF has CloudFormation's type names and a service's own ID, such as the name of a bucket; ASFF has type names
of its own and, mostly, the ARN. OCSF's `uid_alt` is the ARN where the resource has one. For some types, the
ARN follows from the ID.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from securityhub.events.contents import as_mapping, text_or_none
from securityhub.events.regions import is_region

_TYPE: Final = re.compile(r"AWS::([A-Za-z0-9]*)::([A-Za-z0-9]+)")
_ARN: Final = re.compile(r"arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+")
# A run of capital letters: of more than one, the last begins the next word unless it ends the name, as in
# DBInstance (Db, Instance) and DynamoDB (Db).
_CAPITALS: Final = re.compile(r"[A-Z]{2,}(?=[A-Z][a-z]|[0-9]|$)")
# Where ASFF calls a service otherwise than CloudFormation.
_CONTAINER: Final = "AWS::Container::Container"
_SERVICES: Final = {"ElasticLoadBalancing": "Elb", "ElasticLoadBalancingV2": "Elbv2", "WAFv2": "Wafv2"}

# The ARN of a resource by its type, and the form of the ID from which it follows. Types whose ARN contains
# more than the ID, such as the path of an IAM user, aren't here.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_REGIONAL: Final = "arn:{partition}:{service}:{region}:{account}:{resource}"
_ARNS: Final[Mapping[str, tuple[str, str, str]]] = {
    "AwsDynamoDbTable": ("dynamodb", "table/{uid}", r"[A-Za-z0-9_.-]{3,255}"),
    "AwsEc2Instance": ("ec2", "instance/{uid}", r"i-[0-9a-f]+"),
    "AwsEc2NetworkInterface": ("ec2", "network-interface/{uid}", r"eni-[0-9a-f]+"),
    "AwsEc2SecurityGroup": ("ec2", "security-group/{uid}", r"sg-[0-9a-f]+"),
    "AwsEc2Subnet": ("ec2", "subnet/{uid}", r"subnet-[0-9a-f]+"),
    "AwsEc2Volume": ("ec2", "volume/{uid}", r"vol-[0-9a-f]+"),
    "AwsEc2Vpc": ("ec2", "vpc/{uid}", r"vpc-[0-9a-f]+"),
    "AwsKmsKey": ("kms", "key/{uid}", r"[0-9a-f-]{36}|mrk-[0-9a-f]{32}"),
    "AwsLambdaFunction": ("lambda", "function:{uid}", r"[A-Za-z0-9_-]{1,64}"),
}
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")
_QUEUE_URL: Final = re.compile(
    r"https://[^/\s]+/(?P<account>[0-9]{12})/(?P<name>[A-Za-z0-9_-]{1,80}(\.fifo)?)"
)
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_ACCESS_KEY: Final = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}")


def asff_type(type_: str | None) -> str | None:
    """Return the name of a resource type in ASFF, such as `AwsS3Bucket` for `AWS::S3::Bucket`.

    What isn't a name of CloudFormation is returned as it is.
    """
    if type_ == _CONTAINER:  # not a type of CloudFormation, but GuardDuty's
        return "Container"
    found = _TYPE.fullmatch(type_ or "")
    if found is None:
        return type_
    service = _SERVICES.get(found[1], _words(found[1]))
    return f"Aws{service}{_words(found[2])}"


def _words(name: str) -> str:
    """Write abbreviations like words: `DBInstance` as `DbInstance`, `EC2` as `Ec2`."""
    return _CAPITALS.sub(lambda run: run[0].capitalize(), name)


def asff_id(
    resource: Mapping[str, object], *, uid: str, type_: str | None, partition: str, account: str, region: str
) -> str:
    """Return the ID of a resource in ASFF: its ARN where there is one, or where it follows from the ID.

    Args:
        resource: The resource as received.
        uid: Its `uid`.
        type_: Its type in ASFF.
        partition: The partition of the finding, for a resource that doesn't name its own.
        account: The account of the finding, for a resource that doesn't name its owner.
        region: The Region of the finding, for a resource without one.

    Returns:
        The ARN, or else the `uid` as it is.
    """
    for candidate in (resource.get("uid_alt"), uid):
        if isinstance(candidate, str) and _ARN.fullmatch(candidate):
            return candidate
    owner = as_mapping(as_mapping(resource.get("owner")).get("account")).get("uid")
    place = {
        "partition": text_or_none(resource.get("cloud_partition")) or partition,
        "account": text_or_none(owner) or account,
        "region": region_of_resource(resource) or region,
    }
    return _built(uid, type_, place) or uid


def region_of_resource(resource: Mapping[str, object]) -> str | None:
    """Return the Region of a resource; None if it has none, or is `global`."""
    region = resource.get("region")
    return region if is_region(region) else None


def _built(uid: str, type_: str | None, place: Mapping[str, object]) -> str | None:
    if type_ == "AwsAccount" and _ACCOUNT.fullmatch(uid):
        return f"AWS::::Account:{uid}"
    if type_ == "AwsIamAccessKey" and _ACCESS_KEY.fullmatch(uid):
        return f"AWS::IAM::AccessKey:{uid}"
    if type_ == "AwsS3Bucket" and _BUCKET.fullmatch(uid):
        return f"arn:{place['partition']}:s3:::{uid}"
    if type_ == "AwsSqsQueue" and (url := _QUEUE_URL.fullmatch(uid)):
        return _REGIONAL.format(**{**place, "account": url["account"]}, service="sqs", resource=url["name"])
    service, resource, form = _ARNS.get(type_ or "", ("", "", r"(?!)"))
    if not re.fullmatch(form, uid) or not place["region"]:
        return None
    return _REGIONAL.format(**place, service=service, resource=resource.format(uid=uid))
