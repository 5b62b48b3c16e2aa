"""A private bucket that keeps versions and logs every access."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct


def logged_bucket(
    scope: Construct,
    construct_id: str,
    *,
    access_logs_id: str,
    retention: Duration,
    noncurrent_retention: Duration,
) -> s3.Bucket:
    """Create an encrypted bucket with versions, TLS only, and a second bucket with its access logs.

    Server access logs cost only their storage, where data events of CloudTrail are charged each. In exchange,
    Amazon S3 delivers them on a best-effort basis, usually within hours.

    Args:
        scope: The parent construct.
        construct_id: The construct ID of the bucket, unique within the scope.
        access_logs_id: The construct ID of the bucket with the access logs.
        retention: How long objects and access logs are kept.
        noncurrent_retention: How long a replaced, deleted, or expired one is kept in addition.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/logging-with-S3.html
    """
    access_logs = s3.Bucket(
        scope,
        access_logs_id,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        versioned=True,  # whoever deletes a log, or writes over it, leaves the version that was there
        lifecycle_rules=[
            s3.LifecycleRule(expiration=retention, noncurrent_version_expiration=noncurrent_retention),
            s3.LifecycleRule(expired_object_delete_marker=True),
        ],
    )
    Validations.of(access_logs).acknowledge(
        Acknowledgment(id="AwsSolutions-S1", reason="It holds access logs; logging them as well has no end.")
    )
    return s3.Bucket(
        scope,
        construct_id,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        versioned=True,
        server_access_logs_bucket=access_logs,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=retention,
                noncurrent_version_expiration=noncurrent_retention,
                abort_incomplete_multipart_upload_after=Duration.days(7),
            ),
            # S3 doesn't allow this in a rule with an expiration age.
            s3.LifecycleRule(expired_object_delete_marker=True),
        ],
    )


def deny_on_objects(
    bucket: s3.Bucket, sid: str, operations: Sequence[str], *, but_to: iam.IRole | None = None
) -> None:
    """Deny operations on all objects of a bucket, whatever the policies of whoever asks allow.

    Lifecycle rules still apply, because they aren't subject to the bucket policy. Whoever may change the
    policy can still do what it denies. aws:PrincipalArn is the ARN of the role, also in a session.

    Args:
        bucket: The bucket.
        sid: The ID of the statement.
        operations: The IAM actions of Amazon S3, without `s3:`.
        but_to: The role to which they aren't denied. Default: they are denied to everyone.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    """
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid=sid,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=[f"s3:{operation}" for operation in operations],
            resources=[bucket.arn_for_objects("*")],
            conditions={"ArnNotEquals": {"aws:PrincipalArn": but_to.role_arn}} if but_to else None,
        )
    )
