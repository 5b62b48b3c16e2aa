"""The record of outcomes in Amazon S3, with a table in AWS Glue and saved queries in Amazon Athena."""

from __future__ import annotations

from typing import Final, cast

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_events as events
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from securityhub_actions import targets
from stacks.archive_stream import archive_stream
from stacks.logged_bucket import deny_on_objects, logged_bucket
from stacks.outcome_queries import QUERIES, TABLE
from stacks.settings.outcomes import AuditSettings

_FOLDER: Final = "outcomes"
# A name in AWS Glue that needs no quotation marks in Athena.
_DATABASE: Final = "securityhub_actions"
_RESULTS_DAYS: Final = 30
# A query reads 10 GB at most, which is far more than a year of outcomes.
_MAX_SCANNED_BYTES: Final = 10 * 1024**3
_CAUSE: Final = (
    "struct<kind:string,eventId:string,time:string,account:string,region:string,actionArn:string,"
    "insightArn:string>"
)
_FINDING: Final = (
    "struct<id:string,productArn:string,account:string,accountGroup:string,region:string,control:string,"
    "severity:string,updatedAt:string,resources:array<string>>"
)
COLUMNS: Final = {
    "schemaVersion": "string",
    "id": "string",
    "time": "string",
    "function": "string",
    "operation": "string",
    "part": "string",
    "outcome": "string",
    "reason": "string",
    "refusedCredential": "boolean",
    "cause": _CAUSE,
    "finding": _FINDING,
    "secondsSinceUpdate": "double",
    "secondsSinceEvent": "double",
    "requestId": "string",
}
"""The fields of docs/outcome-event.schema.json, with their types in Athena, which ignores case."""


def keep_outcomes(
    stack: Stack, bus: events.IEventBus, pattern: events.EventPattern, *, settings: AuditSettings
) -> None:
    """Archive the events of a bus, and let them be queried.

    Args:
        stack: The stack.
        bus: The bus.
        pattern: Which of its events.
        settings: How long they are kept.
    """
    bucket = logged_bucket(
        stack,
        "AuditBucket",
        access_logs_id="AuditAccessLogs",
        retention=Duration.days(settings.retention_days),
        noncurrent_retention=Duration.days(30),
    )
    # Of the outcome's own time, so that a query by date misses none that was reported later.
    stream = archive_stream(stack, bucket, what="outcomes", folder=_FOLDER, partitions={"day": ".time[0:10]"})
    firehose = cast("iam.Role", stack.node.find_child("ArchiveRole"))
    deny_on_objects(bucket, "OnlyFirehoseWrites", ("PutObject", "ReplicateObject"), but_to=firehose)
    deny_on_objects(bucket, "NobodyDeletes", ("DeleteObject", "DeleteObjectVersion", "ReplicateDelete"))
    events.Rule(
        stack,
        "ToAudit",
        description="Archives outcomes in S3",
        event_bus=bus,
        event_pattern=pattern,
        targets=[targets.FirehoseStream(stream, message=events.RuleTargetInput.from_event_path("$.detail"))],
    )
    table = _table(stack, bucket, retention_days=settings.retention_days)
    _queries(stack, table)
    CfnOutput(
        stack,
        "AuditBucketName",
        value=bucket.bucket_name,
        description="The bucket with the record of outcomes",
    )


def _table(stack: Stack, bucket: s3.Bucket, *, retention_days: int) -> glue.CfnTable:
    """Create the table, whose partitions Athena works out from the dates of a query.

    Source: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    """
    database = glue.CfnDatabase(
        stack,
        "Database",
        catalog_id=Aws.ACCOUNT_ID,
        database_input=glue.CfnDatabase.DatabaseInputProperty(
            name=f"{_DATABASE}_{stack.stack_name.lower().replace('-', '_')}",
            description="What became of Security Hub findings",
        ),
    )
    location = f"s3://{bucket.bucket_name}/{_FOLDER}/"
    return glue.CfnTable(
        stack,
        "Outcomes",
        catalog_id=Aws.ACCOUNT_ID,
        database_name=database.ref,
        table_input=glue.CfnTable.TableInputProperty(
            name=TABLE,
            description="One row for each event; an event that was delivered twice has the same id",
            table_type="EXTERNAL_TABLE",
            partition_keys=[glue.CfnTable.ColumnProperty(name="day", type="string")],
            parameters={
                "projection.enabled": "true",
                "projection.day.type": "date",
                "projection.day.format": "yyyy-MM-dd",
                "projection.day.range": f"NOW-{retention_days}DAYS,NOW+1DAYS",
                "projection.day.interval": "1",
                "projection.day.interval.unit": "DAYS",
                "storage.location.template": location + "day=${day}/",
            },
            storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                columns=[
                    glue.CfnTable.ColumnProperty(name=name.lower(), type=kind.lower())
                    for name, kind in COLUMNS.items()
                ],
                location=location,
                input_format="org.apache.hadoop.mapred.TextInputFormat",
                output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                # Not that of OpenX, with which the results of a query can differ each time. Both ignore the
                # case of names, also in structs: "modelLookup" of the guide's data is in modellookup.
                # Source: https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
                # Source: https://docs.aws.amazon.com/athena/latest/ug/hive-json-serde.html
                serde_info=glue.CfnTable.SerdeInfoProperty(
                    serialization_library="org.apache.hive.hcatalog.data.JsonSerDe"
                ),
            ),
        ),
    )


def _queries(stack: Stack, table: glue.CfnTable) -> None:
    """Create a workgroup with its own place for results, and the saved queries."""
    results = s3.Bucket(
        stack,
        "ResultsBucket",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        versioned=True,
        server_access_logs_bucket=cast("s3.Bucket", stack.node.find_child("AuditAccessLogs")),
        server_access_logs_prefix="results/",
        removal_policy=RemovalPolicy.RETAIN,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(_RESULTS_DAYS), noncurrent_version_expiration=Duration.days(1)
            ),
            s3.LifecycleRule(expired_object_delete_marker=True),
        ],
    )
    workgroup = athena.CfnWorkGroup(
        stack,
        "Workgroup",
        name=stack.stack_name,
        description="Queries about what became of Security Hub findings",
        # Otherwise, a stack with queries that somebody has saved or run can't be deleted.
        recursive_delete_option=True,
        work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
            enforce_work_group_configuration=True,
            publish_cloud_watch_metrics_enabled=True,
            bytes_scanned_cutoff_per_query=_MAX_SCANNED_BYTES,
            result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                output_location=f"s3://{results.bucket_name}/",
                encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                    encryption_option="SSE_S3"
                ),
            ),
        ),
    )
    for construct_id, query in QUERIES.items():
        athena.CfnNamedQuery(
            stack,
            construct_id,
            name=query.name,
            description=query.description,
            database=table.database_name,
            query_string=query.sql,
            work_group=workgroup.ref,
        )
