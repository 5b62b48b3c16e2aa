"""Encrypts what a stack stores with a customer managed KMS key, and grants what that takes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aws_cdk import Annotations, ArnFormat, Stack, Tags, Token
from aws_cdk import aws_athena as athena
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from securityhub_actions.arguments import checked
from securityhub_actions.places import outermost_of
from securityhub_actions.readable_values import readable
from securityhub_actions.rule_access import DATA_KEY_ACTIONS, allow_rules_to_use_key
from securityhub_actions.targets.events_role import EventsRole

_AWS_MANAGED: Final = "alias/aws/"
_ARN_PARTS: Final = 6
_KEY_SETTING: Final = re.compile(r'"(kmsMasterKeyId|keyArn|kmsKey)"', re.IGNORECASE)
# What a principal needs of the key of what it uses through a service, by the service and by its actions.
_NEEDED: Final[Mapping[str, Sequence[str]]] = {
    # https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html
    "dynamodb": (
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ),
    # Of streams created since April 20, 2026, and of all from February 28, 2027 on:
    # https://github.com/ministryofjustice/modernisation-platform/issues/12957
    "firehose": DATA_KEY_ACTIONS,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    "s3": DATA_KEY_ACTIONS,
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    "sns": DATA_KEY_ACTIONS,
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    "sqs": DATA_KEY_ACTIONS,
}
_USING: Final = {
    "dynamodb": ("dynamodb:",),
    "firehose": ("firehose:PutRecord",),
    "s3": ("s3:GetObject", "s3:PutObject"),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage", "sqs:ReceiveMessage"),
}
# Not documented as names for `kms:ViaService`, on which no record may depend.
_NOT_NAMED: Final = frozenset({"firehose"})
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
_LOGS_ACTIONS: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)

# Only of keys with this tag, EventBridge's own role may use one for the credentials of connections.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEventBridgeApiDestinationsServiceRolePolicy.html
_CONNECTIONS_TAG: Final = ("EventBridgeApiDestinations", "true")


@checked
def encrypt_with_key(scope: Construct, key: kms.IKey) -> None:
    """Encrypt with a key what is stored in a scope: by this library's constructs, and by others in it.

    It encrypts queues, topics, tables, buckets, log groups, Firehose streams, the query results of Athena
    workgroups that name a place for them, the credentials that EventBridge keeps for connections, and the
    environment variables of functions, except for those with a customer managed key of their own. Buckets
    with access logs keep keys of Amazon S3, because it can't deliver logs otherwise. Roles in the scope get
    what they need of the key, through the services that they use it for. The policy of the key lets in
    EventBridge, for the rules of queues and topics, and CloudWatch Logs, for log groups of the scope's
    stacks.

    Call it when the scope is complete: what is added later isn't encrypted with the key.

    Args:
        scope: A stack, a stage, or any other construct, without what is deployed to other accounts.
        key: The key, in the account and Region of the scope. The policy of an imported one can't be changed
            here: warnings contain the statements that it needs, and its tag. It must also let IAM policies of
            the account grant permissions, as the default key policy does.

    Raises:
        ValueError: The key is known to be in another account or Region than a stack of the scope.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/service-integration.html
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/encryption-connections.html
    """
    found = scope.node.find_all()
    for stack in [one for one in found if isinstance(one, Stack)] or [Stack.of(scope)]:
        require_same_place(stack, key)
    log_buckets = {target for one in found if isinstance(one, s3.CfnBucket) for target in _log_target(one)}
    for construct in found:
        if not (isinstance(construct, s3.CfnBucket) and _place(construct) in log_buckets):
            _encrypt(construct, key)
        if isinstance(construct, iam.Role):
            _allow(construct, key)
    _let_in_connections([one for one in found if isinstance(one, events.CfnConnection)], key)
    groups: dict[Stack, list[logs.CfnLogGroup]] = defaultdict(list)
    for one in found:
        if isinstance(one, logs.CfnLogGroup):
            groups[outermost_of(Stack.of(one))].append(one)
    for stack, there in groups.items():
        _let_in_logs(stack, there, key)


def require_same_place(stack: Stack, key: kms.IKey) -> None:
    """Refuse a key that is known to be in another account or Region than a stack."""
    parts = str(key.key_arn).split(":")
    if Token.is_unresolved(key.key_arn) or len(parts) < _ARN_PARTS:
        return
    for what, named, own in (("Region", parts[3], stack.region), ("account", parts[4], stack.account)):
        if not Token.is_unresolved(own) and named != own:
            raise ValueError(
                f"The key {key.key_arn} is in the {what} {named}, and the stack {stack.stack_name} in {own}. "
                f"Services encrypt with keys of the stack's own account and Region: use one of that {what}."
            )


def _encrypt(construct: IConstruct, key: kms.IKey) -> None:
    """Set the key of one resource, unless it has another customer managed one."""
    match construct:
        case sqs.CfnQueue() | sns.CfnTopic():
            _encrypt_messages(construct, key)
        case dynamodb.CfnTable() if _is_free(construct, construct.sse_specification):
            construct.sse_specification = dynamodb.CfnTable.SSESpecificationProperty(
                sse_enabled=True, sse_type="KMS", kms_master_key_id=key.key_arn
            )
        case dynamodb.CfnGlobalTable() if _is_free(construct, construct.replicas):
            _encrypt_global_table(construct, key)
        case s3.CfnBucket() if _is_free(construct, construct.bucket_encryption):
            construct.bucket_encryption = _bucket_encryption(key)
        case logs.CfnLogGroup():
            construct.kms_key_id = construct.kms_key_id or key.key_arn
        case lambda_.CfnFunction():
            construct.kms_key_arn = construct.kms_key_arn or key.key_arn
        case firehose.CfnDeliveryStream() if _is_free(
            construct, construct.delivery_stream_encryption_configuration_input
        ):
            settings = firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="CUSTOMER_MANAGED_CMK", key_arn=key.key_arn
            )
            construct.delivery_stream_encryption_configuration_input = settings
        case events.CfnConnection():
            construct.kms_key_identifier = construct.kms_key_identifier or key.key_arn
        case athena.CfnWorkGroup() if _is_free(construct, construct.work_group_configuration):
            _encrypt_results(construct, key)
        case _:
            pass


def _encrypt_global_table(table: dynamodb.CfnGlobalTable, key: kms.IKey) -> None:
    """Set the key of a `TableV2`, which each of its replicas needs in its own Region.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-dynamodb-globaltable-replicassespecification.html
    """
    stack = Stack.of(table)
    if len(stack.resolve(table.replicas)) > 1:
        Annotations.of(table).add_warning_v2(
            "securityhub-actions:KeyOfReplicas",
            "The table has replicas in other Regions, each of which needs a key there, so it isn't encrypted "
            f"with the key of {stack.stack_name}. Set TableEncryptionV2.customer_managed_key on it.",
        )
        return
    table.sse_specification = dynamodb.CfnGlobalTable.SSESpecificationProperty(
        sse_enabled=True, sse_type="KMS"
    )
    table.add_property_override("Replicas.0.SSESpecification", {"KMSMasterKeyId": key.key_arn})


def _encrypt_results(workgroup: athena.CfnWorkGroup, key: kms.IKey) -> None:
    """Set the key of query results: Athena encrypts them as the workgroup says, not as their bucket would.

    Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_EncryptionConfiguration.html
    """
    settings = Stack.of(workgroup).resolve(workgroup.work_group_configuration) or {}
    if settings.get("resultConfiguration") or settings.get("ResultConfiguration"):
        workgroup.add_property_override(
            "WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration",
            {"EncryptionOption": "SSE_KMS", "KmsKey": key.key_arn},
        )


def _encrypt_messages(construct: sqs.CfnQueue | sns.CfnTopic, key: kms.IKey) -> None:
    if not _is_free(construct, construct.kms_master_key_id):
        return
    construct.kms_master_key_id = key.key_arn
    if isinstance(construct, sqs.CfnQueue):
        construct.sqs_managed_sse_enabled = None
    if isinstance(parent := construct.node.scope, sqs.Queue | sns.Topic):
        allow_rules_to_use_key(parent, key)


def _bucket_encryption(key: kms.IKey) -> s3.CfnBucket.BucketEncryptionProperty:
    default = s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
        sse_algorithm="aws:kms", kms_master_key_id=key.key_arn
    )
    rule = s3.CfnBucket.ServerSideEncryptionRuleProperty(
        # Without it, each request to an object is one to KMS as well.
        bucket_key_enabled=True,
        server_side_encryption_by_default=default,
    )
    return s3.CfnBucket.BucketEncryptionProperty(server_side_encryption_configuration=[rule])


def _is_free(construct: IConstruct, settings: object) -> bool:
    """Whether the settings of a resource name no customer managed key.

    Args:
        construct: The resource.
        settings: The name of its key, or the settings that have it.
    """
    resolved = Stack.of(construct).resolve(settings)
    if resolved is None:
        return True
    text = json.dumps(resolved)
    names_key = isinstance(settings, str) or _KEY_SETTING.search(text) is not None
    return _AWS_MANAGED in text or not names_key


def _log_target(bucket: s3.CfnBucket) -> Iterator[tuple[Stack, str]]:
    """Return the place of the bucket with the access logs of another one."""
    settings = Stack.of(bucket).resolve(bucket.logging_configuration) or {}
    name = settings.get("destinationBucketName") or settings.get("DestinationBucketName")
    if isinstance(name, Mapping) and "Ref" in name:
        yield Stack.of(bucket), str(name["Ref"])


def _place(bucket: s3.CfnBucket) -> tuple[Stack, str]:
    return Stack.of(bucket), str(Stack.of(bucket).resolve(bucket.logical_id))


def _allow(role: iam.Role, key: kms.IKey) -> None:
    """Allow a role to use the key through the services that it uses, and through Lambda its environment."""
    used = services_using(role, _USING)
    by_actions: dict[Sequence[str], list[str]] = {}
    for service in sorted(used - _NOT_NAMED):
        by_actions.setdefault(_NEEDED[service], []).append(service)
    if "lambda.amazonaws.com" in json.dumps(_trust_of(role)):
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        by_actions[("kms:Decrypt",)] = ["lambda"]
    # Without permissions, EventBridge doesn't try again, so its roles have them before their rules exist:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    add = role.allow if isinstance(role, EventsRole) else role.add_to_policy
    for service in sorted(used & _NOT_NAMED):
        add(iam.PolicyStatement(actions=list(_NEEDED[service]), resources=[key.key_arn]))
    stack = Stack.of(role)
    for actions, services in by_actions.items():
        add(
            iam.PolicyStatement(
                actions=list(actions),
                resources=[key.key_arn],
                conditions={
                    "StringEquals": {
                        "kms:ViaService": [
                            f"{service}.{stack.region}.{stack.url_suffix}" for service in services
                        ]
                    }
                },
            )
        )


def _trust_of(role: iam.Role) -> object:
    resource = role.node.default_child
    stack = Stack.of(role)
    return stack.resolve(resource.assume_role_policy_document) if isinstance(resource, iam.CfnRole) else None


def services_using(role: iam.Role, actions: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the services of which a role's own and inline policies allow some actions.

    Args:
        role: The role.
        actions: What policies contain, by service.
    """
    stack, resource = Stack.of(role), role.node.default_child
    documents = [one.document for one in role.node.find_all() if isinstance(one, iam.Policy)]
    inline = resource.policies if isinstance(resource, iam.CfnRole) else None
    text = json.dumps(stack.resolve([documents, inline]))
    return {service for service, some in actions.items() if any(action in text for action in some)}


def _let_in_connections(connections: Sequence[events.CfnConnection], key: kms.IKey) -> None:
    """Tag the key, so that EventBridge may use it for connections, or say that its owner has to."""
    if not connections:
        return
    name, value = _CONNECTIONS_TAG
    if isinstance(key, kms.Key):
        Tags.of(key).add(name, value)
        return
    Annotations.of(connections[0]).add_warning_v2(
        "securityhub-actions:TagOfKey",
        "The key of the connection is not part of this app, so it can't be tagged here. Without its tag "
        f"{name}={value}, EventBridge can't keep the credentials of connections, and the deployment fails.",
    )


def _let_in_logs(stack: Stack, groups: Sequence[logs.CfnLogGroup], key: kms.IKey) -> None:
    """Let CloudWatch Logs use a key for log groups of a stack and of those nested in it, by their names."""
    arns = [
        stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for name in sorted({_name_of(one, stack) for one in groups})
    ]
    statement = iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"logs.{stack.region}.{stack.url_suffix}")],
        actions=list(_LOGS_ACTIONS),
        resources=["*"],  # the key itself, in its policy
        # The only condition that AWS documents for it. The ARN has the account.
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arns}},
    )
    if not key.add_to_resource_policy(statement).statement_added:
        readable_statement = json.dumps(readable(stack.resolve(statement.to_statement_json())))
        Annotations.of(stack).add_warning_v2(
            "securityhub-actions:PolicyOfKey",
            f"The key of {stack.stack_name} is not part of this app, so its policy can't be extended here. "
            "Without this statement in it, no log group can be created: " + readable_statement,
        )


def _name_of(group: logs.CfnLogGroup, stack: Stack) -> str:
    """Return the name of a log group, with asterisks for what only a deployment determines.

    The policy must not refer to that, because a nested stack or a function needs the key first. A name that
    CloudFormation generates begins with that of the stack; of a nested one, with that of the outermost.
    """
    name = Stack.of(group).resolve(group.log_group_name)
    match name:
        case None:
            return f"{stack.stack_name}-*"
        case str():
            return name
        case {"Fn::Join": [str(between), [*parts]]}:
            return between.join(part if isinstance(part, str) else "*" for part in parts)
    return "*"
