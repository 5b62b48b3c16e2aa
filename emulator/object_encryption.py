"""Objects in Amazon S3 that are encrypted with AWS's own key in KMS, which MiniStack refuses.

Whoever asks for `aws:kms` without a key gets the key `aws/s3` of the account, as the CDK CLI does for the
bucket of `cdk bootstrap`.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#AmazonS3-PutObject-request-header-SSEKMSKeyId
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import get_account_id, get_region
from ministack.services import s3

_ALGORITHM: Final = "x-amz-server-side-encryption"
_KEY: Final = "x-amz-server-side-encryption-aws-kms-key-id"


def register() -> None:
    """Let requests leave the key to S3, for this process."""
    resolve = s3._resolve_sse_write_headers  # noqa: SLF001 - there is no public way

    def with_key(headers: Mapping[str, str], bucket_name: str) -> Any:  # noqa: ANN401 - MiniStack's own answer
        if headers.get(_ALGORITHM) == "aws:kms" and not headers.get(_KEY):
            headers = {**headers, _KEY: f"arn:aws:kms:{get_region()}:{get_account_id()}:alias/aws/s3"}
        return resolve(headers, bucket_name)

    s3._resolve_sse_write_headers = with_key  # noqa: SLF001
