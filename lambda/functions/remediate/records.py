"""Records of what was so before a remediation, in an S3 bucket with versions."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from invocation import clients
from remediations.contract import Change
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def create_client() -> S3Client:
    """Create the client, once a container."""
    client: S3Client = clients.create_client("s3")
    return client


class RecordsBucket:
    """Keeps one object for each finding, by account and region; its versions are the history."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def save(self, finding: Finding, *, remediation: str, change: Change) -> str:
        """Keep what is about to be changed and return where, as `s3://BUCKET/KEY`.

        The first record for a finding as it was last updated stays: when a remediation stopped halfway, the
        next try sees only what is left to change, and undoing that alone would restore half of it.
        """
        place = f"s3://{self._bucket}/{_key(finding)}"
        updated = str(finding.updated_at)
        kept = self._read(finding)
        if kept is not None and (kept["updated"], kept["remediation"]) == (updated, remediation):
            return place
        record = {
            "finding": finding.id,
            "product": finding.product_arn,
            "updated": updated,
            "remediation": remediation,
            "resource": change.resource,
            "description": change.description,
            "priorState": change.prior_state,
        }
        self._client.put_object(
            Bucket=self._bucket,
            Key=_key(finding),
            Body=json.dumps(record).encode(),
            ContentType="application/json",
        )
        return place

    def load(self, finding: Finding) -> tuple[str, Change] | None:
        """Return the name of the remediation that changed something for a finding, and what, or None."""
        record = self._read(finding)
        if record is None:
            return None
        return record["remediation"], Change(
            resource=record["resource"],
            description=record["description"],
            prior_state=record["priorState"],
        )

    def _read(self, finding: Finding) -> dict[str, Any] | None:
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=_key(finding))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        record: dict[str, Any] = json.loads(body)
        return record

    def delete(self, finding: Finding) -> None:
        """Let the finding have no record; earlier versions stay in the bucket."""
        self._client.delete_object(Bucket=self._bucket, Key=_key(finding))


def _key(finding: Finding) -> str:
    digest = hashlib.sha256(f"{finding.product_arn}\n{finding.id}".encode()).hexdigest()
    return f"{finding.aws_account_id}/{finding.region}/{digest}.json"
