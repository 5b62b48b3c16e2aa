"""One key for all that a scope stores, and what each role and service needs of it."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment, NestedStack, SecretValue, Stack, Stage
from aws_cdk import aws_athena as athena
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from securityhub_actions import (
    CustomActionRule,
    ImportedFindingsRule,
    encrypt_with_key,
    read_with_earlier_keys,
    targets,
)
from securityhub_actions.filters import FindingFilter

ACCOUNT, REGION = "111122223333", "eu-west-1"
ENVIRONMENT = Environment(account=ACCOUNT, region=REGION)
FOREIGN = "arn:aws:kms:{}:{}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def rule_to(stack, target):
    CustomActionRule(
        stack, "Action", action_id="Action", action_name="Action", description="Do it", targets=[target]
    )


def new_stack():
    return Stack(App(analytics_reporting=False), "Stack", env=ENVIRONMENT)


@pytest.fixture(scope="module")
def template():
    stack = new_stack()
    queue = sqs.Queue(stack, "Queue")
    rule_to(stack, targets.SqsQueue(queue))
    topic = sns.Topic(stack, "Topic")
    findings = FindingFilter(severity="CRITICAL")
    ImportedFindingsRule(stack, "Rule", findings=findings, targets=[targets.SnsTopic(topic)])
    sns.Topic(stack, "OfAws", master_key=kms.Alias.from_alias_name(stack, "Alias", "alias/aws/sns"))
    sns.Topic(stack, "OfItsOwn", master_key=kms.Key(stack, "OwnKey"))
    access_logs = s3.Bucket(stack, "Logs")
    s3.Bucket(stack, "Bucket", server_access_logs_bucket=access_logs)
    dynamodb.Table(
        stack, "Table", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    )
    for name in ("OfS3", "OfNobody", "OfItself"):
        workgroup(stack, name)
    encrypt_with_key(stack, kms.Key(stack, "Key"))
    return Template.from_stack(stack).to_json()["Resources"]


def workgroup(stack, name):
    """A workgroup that encrypts results with keys of Amazon S3, with none, or with a key of its own."""
    encryption = athena.CfnWorkGroup.EncryptionConfigurationProperty
    results = athena.CfnWorkGroup.ResultConfigurationProperty(
        output_location="s3://results/",
        encryption_configuration={
            "OfS3": encryption(encryption_option="SSE_S3"),
            "OfNobody": None,
            "OfItself": encryption(encryption_option="CSE_KMS", kms_key=FOREIGN.format(REGION, ACCOUNT)),
        }[name],
    )
    settings = athena.CfnWorkGroup.WorkGroupConfigurationProperty(result_configuration=results)
    athena.CfnWorkGroup(stack, name, name=name, work_group_configuration=settings)


def only(template, type_, prefix):
    (found,) = (
        one["Properties"]
        for name, one in template.items()
        if one["Type"] == type_ and name.startswith(prefix)
    )
    return found


def key_of(template, prefix="Key"):
    (logical_id,) = (
        name for name, one in template.items() if one["Type"] == "AWS::KMS::Key" and name.startswith(prefix)
    )
    return {"Fn::GetAtt": [logical_id, "Arn"]}


@pytest.mark.parametrize("prefix", ["Queue", "SecurityHubDeadLetterQueue"])
def test_queues_have_the_key_instead_of_one_of_sqs(template, prefix):
    queue = only(template, "AWS::SQS::Queue", prefix)
    assert queue["KmsMasterKeyId"] == key_of(template)
    assert "SqsManagedSseEnabled" not in queue


def test_topics_have_the_key_also_instead_of_one_of_aws_but_not_of_one_of_their_own(template):
    for prefix, key in (("Topic", "Key"), ("OfAws", "Key"), ("OfItsOwn", "OwnKey")):
        assert only(template, "AWS::SNS::Topic", prefix)["KmsMasterKeyId"] == key_of(template, key)


def test_tables_and_buckets_have_the_key_except_for_buckets_with_access_logs(template):
    table = only(template, "AWS::DynamoDB::Table", "Table")["SSESpecification"]
    assert table == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key_of(template)}
    (rule,) = only(template, "AWS::S3::Bucket", "Bucket")["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key_of(template)
    assert "BucketEncryption" not in only(template, "AWS::S3::Bucket", "Logs")


def new_global_table(*replicas):
    stack = new_stack()
    dynamodb.TableV2(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        replicas=[dynamodb.ReplicaTableProps(region=one) for one in replicas],
    )
    encrypt_with_key(stack, kms.Key(stack, "Key"))
    return stack


def test_a_global_table_without_other_replicas_has_the_key():
    resources = Template.from_stack(new_global_table()).to_json()["Resources"]
    table = only(resources, "AWS::DynamoDB::GlobalTable", "Table")
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    (replica,) = table["Replicas"]
    assert replica["SSESpecification"] == {"KMSMasterKeyId": key_of(resources)}
    assert replica["Region"] == REGION


def test_the_key_of_one_region_is_not_set_on_a_table_with_replicas_in_others():
    stack = new_global_table("us-east-1")
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("each of which needs"))
    assert "KMSMasterKeyId" not in json.dumps(Template.from_stack(stack).to_json())


@pytest.mark.parametrize("prefix", ["OfS3", "OfNobody"])
def test_query_results_have_the_key_whatever_the_bucket_does_by_itself(template, prefix):
    settings = only(template, "AWS::Athena::WorkGroup", prefix)["WorkGroupConfiguration"]
    expected = {"EncryptionOption": "SSE_KMS", "KmsKey": key_of(template)}
    assert settings["ResultConfiguration"]["EncryptionConfiguration"] == expected
    assert settings["ResultConfiguration"]["OutputLocation"] == "s3://results/"


def test_query_results_with_a_key_of_their_own_keep_it(template):
    settings = only(template, "AWS::Athena::WorkGroup", "OfItself")["WorkGroupConfiguration"]
    kept = settings["ResultConfiguration"]["EncryptionConfiguration"]
    assert kept == {"EncryptionOption": "CSE_KMS", "KmsKey": FOREIGN.format(REGION, ACCOUNT)}


def test_functions_and_their_logs_have_the_key_and_the_roles_may_decrypt(template):
    functions = [one for one in template.values() if one["Type"] == "AWS::Lambda::Function"]
    groups = [one for one in template.values() if one["Type"] == "AWS::Logs::LogGroup"]
    assert functions
    assert groups
    for one in functions:
        assert one["Properties"]["KmsKeyArn"] == key_of(template)
    for one in groups:
        assert one["Properties"]["KmsKeyId"] == key_of(template)


def test_eventbridge_may_use_the_key_for_rules_of_the_account_and_for_a_topic_without_conditions(template):
    statements = only(template, "AWS::KMS::Key", "Key")["KeyPolicy"]["Statement"]
    of_rules = [
        one.get("Condition") for one in statements if one["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    limited = {
        "ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    written = json.dumps(of_rules).replace('{"Ref": "AWS::Partition"}', "aws")
    assert "rule/*" in written
    assert limited["StringEquals"] in [one.get("StringEquals") for one in of_rules if one]
    assert None in of_rules


def log_groups_of_policy(stack):
    """Encrypt a stack, and return the ARNs of the log groups for which CloudWatch Logs may use the key."""
    encrypt_with_key(stack, kms.Key(stack, "Key"))
    resources = Template.from_stack(stack).to_json()["Resources"]
    statements = only(resources, "AWS::KMS::Key", "Key")["KeyPolicy"]["Statement"]
    (of_logs,) = (one for one in statements if "logs." in json.dumps(one["Principal"]))
    assert not [action for action in of_logs["Action"] if "*" in action]
    arns = of_logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    prefix = f"arn:<AWS::Partition>:logs:{REGION}:{ACCOUNT}:log-group:"
    texts = map(joined, arns if isinstance(arns, list) else [arns])
    return [text.removeprefix(prefix) for text in texts]


def joined(arn):
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in arn["Fn::Join"][1])


def test_cloudwatch_logs_may_use_the_key_for_the_log_groups_of_the_stack_only():
    stack = new_stack()
    logs.LogGroup(stack, "Generated")
    assert log_groups_of_policy(stack) == ["Stack-*"]


def test_cloudwatch_logs_may_use_the_key_for_log_groups_with_a_name():
    stack = new_stack()
    logs.LogGroup(stack, "Named", log_group_name="/aws/events/findings")
    topic = sns.Topic(stack, "Topic")
    logs.LogGroup(stack, "Joined", log_group_name=f"/topics/{topic.topic_name}/log")
    logs.LogGroup(stack, "Referring", log_group_name=topic.topic_name)
    assert log_groups_of_policy(stack) == ["*", "/aws/events/findings", "/topics/*/log"]


def test_the_policy_of_the_key_does_not_refer_to_a_nested_stack_that_needs_the_key():
    stack = new_stack()
    logs.LogGroup(NestedStack(stack, "Nested"), "Log")
    assert log_groups_of_policy(stack) == ["Stack-*"]


def test_a_role_may_use_the_key_for_what_its_inline_policies_allow():
    stack = new_stack()
    writes = iam.PolicyStatement(actions=["s3:PutObject"], resources=["arn:aws:s3:::bucket/*"])
    iam.Role(
        stack,
        "Role",
        assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"),
        inline_policies={"Writes": iam.PolicyDocument(statements=[writes])},
    )
    encrypt_with_key(stack, kms.Key(stack, "Key"))
    policy = only(Template.from_stack(stack).to_json()["Resources"], "AWS::IAM::Policy", "Role")
    assert "s3.eu-west-1." in json.dumps(policy["PolicyDocument"])


def test_eventbridge_may_use_the_key_of_a_firehose_stream_before_a_rule_refers_to_its_role():
    stack = new_stack()
    stream = firehose.DeliveryStream(stack, "Stream", destination=firehose.S3Bucket(s3.Bucket(stack, "B")))
    rule_to(stack, targets.FirehoseStream(stream))
    encrypt_with_key(stack, kms.Key(stack, "Key"))
    resources = Template.from_stack(stack).to_json()["Resources"]
    (inline,) = only(resources, "AWS::IAM::Role", "StackStream")["Policies"]
    assert inline["PolicyDocument"]["Statement"][1] == {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Effect": "Allow",
        "Resource": key_of(resources),
    }


def with_connection(key_of_stack):
    """The resources of a stack with a connection that is encrypted, and its annotations."""
    stack = new_stack()
    key = SecretValue.secrets_manager("vendor")
    events.Connection(stack, "Vendor", authorization=events.Authorization.api_key("X-Api-Key", key))
    encrypt_with_key(stack, key_of_stack(stack))
    return Template.from_stack(stack).to_json()["Resources"], Annotations.from_stack(stack)


def test_credentials_of_connections_have_the_key_which_has_the_tag_that_eventbridge_needs():
    resources, _ = with_connection(lambda stack: kms.Key(stack, "Key"))
    assert only(resources, "AWS::Events::Connection", "Vendor")["KmsKeyIdentifier"] == key_of(resources)
    tag = {"Key": "EventBridgeApiDestinations", "Value": "true"}
    assert only(resources, "AWS::KMS::Key", "Key")["Tags"] == [tag]


def test_the_owner_of_an_imported_key_is_told_of_the_tag_that_connections_need():
    key = FOREIGN.format(REGION, ACCOUNT)
    resources, annotations = with_connection(lambda stack: kms.Key.from_key_arn(stack, "Key", key))
    assert only(resources, "AWS::Events::Connection", "Vendor")["KmsKeyIdentifier"] == key
    annotations.has_warning("*", Match.string_like_regexp("EventBridgeApiDestinations=true"))


def test_a_key_that_no_connection_needs_has_no_tag(template):
    assert "Tags" not in only(template, "AWS::KMS::Key", "Key")


@pytest.mark.parametrize(
    ("region", "account", "message"),
    [
        ("us-east-1", ACCOUNT, "in the Region us-east-1, and the stack Stack in eu-west-1"),
        (REGION, "444455556666", "in the account 444455556666, and the stack Stack in 111122223333"),
    ],
)
def test_a_key_of_another_place_is_an_error(region, account, message):
    stack = new_stack()
    with pytest.raises(ValueError, match=message):
        encrypt_with_key(stack, kms.Key.from_key_arn(stack, "Key", FOREIGN.format(region, account)))


def test_the_owner_of_an_imported_key_is_told_what_its_policy_needs():
    stack = new_stack()
    rule_to(stack, targets.SqsQueue(sqs.Queue(stack, "Queue")))
    encrypt_with_key(stack, kms.Key.from_key_arn(stack, "Key", FOREIGN.format(REGION, ACCOUNT)))
    annotations = Annotations.from_stack(stack)
    annotations.has_warning("*", Match.string_like_regexp("events.amazonaws.com"))
    template = Template.from_stack(stack)
    if template.find_resources("AWS::Logs::LogGroup"):
        annotations.has_warning(
            "*", Match.string_like_regexp("no log group can be created: .*log-group:Stack-")
        )


def test_a_stage_is_a_scope_with_its_stacks():
    stage = Stage(App(analytics_reporting=False), "Stage", env=ENVIRONMENT)
    keys, own = Stack(stage, "Keys"), Stack(stage, "Own")
    sqs.Queue(own, "Queue")
    encrypt_with_key(stage, kms.Key(keys, "Key"))
    queue = only(Template.from_stack(own).to_json()["Resources"], "AWS::SQS::Queue", "Queue")
    assert "KmsMasterKeyId" in queue


def test_a_construct_in_a_stack_is_a_scope():
    stack = new_stack()
    part = Construct(stack, "Part")
    sqs.Queue(part, "Queue")
    sqs.Queue(stack, "Other")
    encrypt_with_key(part, kms.Key(stack, "Key"))
    resources = Template.from_stack(stack).to_json()["Resources"]
    assert "KmsMasterKeyId" in only(resources, "AWS::SQS::Queue", "PartQueue")
    assert "KmsMasterKeyId" not in resources[
        next(name for name in resources if name.startswith("Other"))
    ].get("Properties", {})


def test_a_scope_that_stores_nothing_gets_nothing():
    stack = new_stack()
    encrypt_with_key(stack, kms.Key(stack, "Key"))
    (statement,) = only(Template.from_stack(stack).to_json()["Resources"], "AWS::KMS::Key", "Key")[
        "KeyPolicy"
    ]["Statement"]
    assert statement["Action"] == "kms:*"


def readers(keys):
    """The statements about keys of roles of which one reads a queue and a bucket, and another sends."""
    stack = new_stack()
    roles = [
        iam.Role(stack, name, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for name in ("Reads", "Sends", "Idle")
    ]
    queue = sqs.Queue(stack, "Queue")
    queue.grant_consume_messages(roles[0])
    s3.Bucket(stack, "Bucket").grant_read(roles[0])
    queue.grant_send_messages(roles[1])
    read_with_earlier_keys(stack, [kms.Key.from_key_arn(stack, f"Key{n}", key) for n, key in enumerate(keys)])
    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    return {
        name[:5]: [
            statement
            for statement in one["Properties"]["PolicyDocument"]["Statement"]
            if "kms:Decrypt" in statement["Action"]
        ]
        for name, one in policies.items()
    }


def test_who_reads_may_decrypt_what_was_encrypted_with_earlier_keys_and_nobody_else():
    keys = [FOREIGN.format(REGION, ACCOUNT), FOREIGN.format(REGION, ACCOUNT).replace("1234", "5678")]
    through = {"Fn::Join": ["", [f"s3.{REGION}.", {"Ref": "AWS::URLSuffix"}]]}
    found = readers(keys)
    assert found["Sends"] == []
    assert found.keys() == {"Reads", "Sends"}
    (statement,) = found["Reads"]
    assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", keys)
    via = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert len(via) == 2
    assert via[0] == through


def test_without_earlier_keys_nothing_is_granted():
    assert readers([]) == {"Reads": [], "Sends": []}


@pytest.mark.parametrize(("region", "account"), [("us-east-1", ACCOUNT), (REGION, "444455556666")])
def test_an_earlier_key_elsewhere_is_refused(region, account):
    with pytest.raises(ValueError, match="is in the"):
        readers([FOREIGN.format(region, account)])
