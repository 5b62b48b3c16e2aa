"""JSON objects in Amazon S3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def read_json(client: S3Client, *, bucket: str, key: str) -> dict[str, Any] | None:
    """Return the JSON object in an S3 object, or None if there is no S3 object.

    Without s3:ListBucket on the bucket, S3 denies access instead of reporting that there is none.

    Raises:
        ValueError: It isn't JSON.
        ClientError: S3 refused the request for another reason.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    found: dict[str, Any] = json.loads(body)
    return found
