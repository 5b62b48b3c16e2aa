"""The table in which a stack's function records what it's doing and has done."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam


def done_table(stack: Stack, construct_id: str = "Done") -> dynamodb.Table:
    """Create the table for lambda/invocation/work_table.py. Its items expire after a day.

    Args:
        stack: The stack.
        construct_id: The construct ID, unique within the stack. Default: `Done`.
    """
    return dynamodb.Table(
        stack,
        construct_id,
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute="expiration",
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        # What must be kept longer is stored elsewhere.
        removal_policy=RemovalPolicy.DESTROY,
    )


def done_table_statement(table: dynamodb.Table, *, reads: bool = False) -> iam.PolicyStatement:
    """Return a statement with only the actions that lambda/invocation/work_table.py uses.

    Args:
        table: The table.
        reads: Whether the function also reads items, beside those that prevent a write. Default: False.
    """
    operations = ("DeleteItem", *(("GetItem",) if reads else ()), "PutItem", "UpdateItem")
    return iam.PolicyStatement(
        actions=[f"dynamodb:{operation}" for operation in operations], resources=[table.table_arn]
    )
