"""A Firehose stream that archives events in Amazon S3, one per line, in partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from stacks.alarms import alarm
from stacks.template_checks import accept_wildcard

STALE: Final = Duration.minutes(30)
"""How long what is to be archived may wait."""


def archive_stream(
    stack: Stack, bucket: s3.IBucket, *, what: str, folder: str, partitions: Mapping[str, str]
) -> firehose.DeliveryStream:
    """Create the stream of a stack, with its role, its log group, and an alarm.

    Args:
        stack: The stack, which has only one.
        bucket: Where the objects go.
        what: What is archived, in the plural and lower case.
        folder: The first part of the keys.
        partitions: What follows it: the name of each part, and the query in jq that gives its value.
    """
    log_group = logs.LogGroup(
        stack,
        "ArchiveLogs",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=RemovalPolicy.DESTROY,
    )
    role = _role(stack, bucket, log_group, what=what, folder=folder)
    path = "".join(f"{name}=!{{partitionKeyFromQuery:{name}}}/" for name in partitions)
    stream = firehose.DeliveryStream(
        stack,
        "ArchiveStream",
        encryption=firehose.StreamEncryption.aws_owned_key(),
        role=role,
        destination=firehose.S3Bucket(
            bucket,
            # Frozen, because the CDK would add s3:GetObject*, s3:GetBucket*, s3:List*, s3:DeleteObject*.
            role=role.without_policy_updates(),
            logging_config=firehose.EnableLogging(log_group),
            compression=firehose.Compression.GZIP,
            file_extension=".jsonl.gz",
            buffering_interval=Duration.minutes(5),
            buffering_size=Size.mebibytes(64),  # the least that dynamic partitioning allows
            dynamic_partitioning=firehose.DynamicPartitioningProps(
                enabled=True, retry_duration=Duration.hours(2)
            ),
            processors=[
                firehose.MetadataExtractionProcessor.jq16(dict(partitions)),
                firehose.AppendDelimiterToRecordProcessor(),
            ],
            data_output_prefix=f"{folder}/{path}",
            error_output_prefix="errors/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/",
        ),
    )
    # The CDK's mapping of Firehose addresses is for destinations in a VPC. Nothing refers to it here.
    stack.node.try_remove_child("@aws-cdk--aws-kinesisfirehose.CidrBlocks")
    stream.node.add_dependency(role.node.find_child("DefaultPolicy"))
    alarm(
        stack,
        "ArchiveIsStale",
        # Firehose retries automatically; the age of its oldest record shows that delivery fails.
        stream.metric("DeliveryToS3.DataFreshness", period=Duration.minutes(5), statistic="Maximum"),
        above=STALE.to_seconds(),
        description=f"{what.capitalize()} wait for more than {STALE.to_minutes():g} minutes to be archived "
        "in S3. Read the stream's log group, and check the bucket, its policy, and the stream's role.",
    )
    return stream


def _role(stack: Stack, bucket: s3.IBucket, log_group: logs.ILogGroup, *, what: str, folder: str) -> iam.Role:
    """Create the role that Firehose needs for S3.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
    """
    role = iam.Role(
        stack,
        "ArchiveRole",
        description=f"Lets Firehose write {what} to the archive",
        assumed_by=iam.ServicePrincipal(
            "firehose.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            resources=[bucket.bucket_arn],
        )
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            resources=[bucket.arn_for_objects(f"{folder}/*"), bucket.arn_for_objects("errors/*")],
        )
    )
    log_group.grant(role, "logs:PutLogEvents")  # the CDK creates the log stream
    for prefix in (folder, "errors"):
        reason = "Firehose names its objects itself; the prefix is the narrowest resource."
        accept_wildcard(role, bucket.arn_for_objects(f"{prefix}/*"), reason=reason)
    return role
