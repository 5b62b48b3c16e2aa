"""What the remediations for Amazon S3 share: which bucket a finding is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from remediations.contract import CannotRemediateError, resource_of

if TYPE_CHECKING:
    from securityhub.events import Finding, Resource

_TYPES: Final = ("AwsS3Bucket",)
# Names of older buckets in US East (N. Virginia) have up to 255 characters, also upper case and underscores:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_ARN: Final = re.compile(r"arn:aws[a-z-]*:s3:::([A-Za-z0-9._-]{3,255})")


def bucket_of(finding: Finding) -> tuple[Resource, dict[str, str]]:
    """Return the bucket that a finding names, and the parameters of requests about it.

    The requests name the owner, because a bucket's name can have passed on to another account.

    Raises:
        CannotRemediateError: The resource's ID isn't the ARN of a bucket.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    resource = resource_of(finding, _TYPES)
    arn = _BUCKET_ARN.fullmatch(resource.id)
    if arn is None:
        raise CannotRemediateError(
            f"{resource.id!r} is not the ARN of a bucket, such as arn:aws:s3:::amzn-s3-demo-bucket. "
            "Remediate the finding manually."
        )
    return resource, {"Bucket": arn[1], "ExpectedBucketOwner": finding.aws_account_id}
