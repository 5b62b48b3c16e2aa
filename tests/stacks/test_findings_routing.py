from __future__ import annotations

import json
import tomllib

import pytest
from aws_cdk import Environment
from aws_cdk.assertions import Annotations, Match, Template

from stacks.findings_routing import FindingsRoutingStack
from stacks.settings import check_settings
from tests.shipped_settings import SHIPPED_SETTINGS_FILE, load_shipped_settings
from tests.whole_app import synthesize_app

PARTS = {"archive", "critical", "high"}
OUTPUT_OF = {"archive": "ArchiveBucketName", "critical": "CriticalTopicArn", "high": "HighQueueUrl"}
TYPES_OF = {
    "archive": {"AWS::S3::Bucket", "AWS::KinesisFirehose::DeliveryStream", "AWS::Logs::LogGroup"},
    "critical": {"AWS::SNS::Topic", "AWS::KMS::Key"},
    "high": set(),
}


def routing(*, on=PARTS, **changes):
    """The settings that come with the app, with the parts that are on and other values: `high={...}`."""
    document = tomllib.loads(SHIPPED_SETTINGS_FILE.read_text())
    for part in PARTS:
        document["routing"][part] |= {"enabled": part in on} | changes.get(part, {})
    return check_settings(document, source="this test").routing


SLACK = {"enabled": True, "channel": "C024BE91L", "secret_name": "securityhub-actions/slack"}
EVERYTHING = routing(critical={"emails": ["soc@example.com", "ciso@example.com"], "slack": SLACK})


@pytest.fixture(scope="module")
def new_stack(new_app, environment):
    def make(settings, environment=environment):
        return FindingsRoutingStack(new_app(), "FindingsRouting", settings=settings, env=environment)

    return make


@pytest.fixture(scope="module")
def template(new_stack):
    return Template.from_stack(new_stack(EVERYTHING))


def resources(template, resource_type):
    """The resources of a type: logical id to properties."""
    return {
        logical_id: resource.get("Properties", {})
        for logical_id, resource in template.find_resources(resource_type).items()
    }


def only(template, resource_type, starting_with=""):
    """The one resource of a type whose logical id starts so: id and properties."""
    (found,) = (
        (logical_id, properties)
        for logical_id, properties in resources(template, resource_type).items()
        if logical_id.startswith(starting_with)
    )
    return found


def role_statements(template):
    for policy in resources(template, "AWS::IAM::Policy").values():
        yield from policy["PolicyDocument"]["Statement"]
    for role in resources(template, "AWS::IAM::Role").values():
        for policy in role.get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]


def rule_targets(template):
    return [t for rule in resources(template, "AWS::Events::Rule").values() for t in rule["Targets"]]


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


def test_the_checks_of_every_synthesis_find_nothing(new_checked_app, environment):
    an_app = new_checked_app()
    FindingsRoutingStack(an_app, "FindingsRouting", settings=EVERYTHING, env=environment)
    an_app.synth()


def test_the_synthesis_gives_no_warning(new_stack):
    stack = new_stack(EVERYTHING)
    assert not Annotations.from_stack(stack).find_warning("*", Match.any_value())


@pytest.mark.parametrize("off", sorted(PARTS))
def test_of_a_part_that_is_off_nothing_is_left(new_stack, off):
    template = Template.from_stack(new_stack(routing(on=PARTS - {off})))
    assert set(template.find_outputs("*")) == {OUTPUT_OF[part] for part in PARTS - {off}}
    assert len(resources(template, "AWS::Events::Rule")) == 2
    for part in PARTS:
        for resource_type in TYPES_OF[part]:
            assert bool(resources(template, resource_type)) == (part != off), resource_type
    # What a part is made of carries its name.
    assert not [logical_id for logical_id in template.to_json()["Resources"] if off.title() in logical_id]


@pytest.mark.parametrize("on", sorted(PARTS))
def test_a_part_works_alone(new_stack, on):
    template = Template.from_stack(new_stack(routing(on={on})))
    assert set(template.find_outputs("*")) == {OUTPUT_OF[on]}
    assert only(template, "AWS::Events::Rule")[0].startswith(on.title())


@pytest.mark.parametrize(
    ("part", "findings", "expected"),
    [
        ("archive", {"severity": "HIGH"}, {"Severity": {"Label": ["HIGH"]}}),
        ("critical", {"account_ids": ["111122223333"]}, {"AwsAccountId": ["111122223333"]}),
        ("high", {"product_name": {"prefix": "Guard"}}, {"ProductName": [{"prefix": "Guard"}]}),
    ],
)
def test_a_part_gets_the_findings_of_its_filter(new_stack, part, findings, expected):
    template = Template.from_stack(new_stack(routing(**{part: {"filter": findings}})))
    _, rule = only(template, "AWS::Events::Rule", part.title())
    unhandled = {"Workflow": {"Status": ["NEW"]}, "RecordState": ["ACTIVE"]}
    assert rule["EventPattern"]["detail"] == {"findings": {**unhandled, **expected}}


def test_a_critical_part_that_matches_everything_is_warned_of(new_stack):
    everything = {"workflow_status": "ANY", "record_state": "ANY"}
    stack = new_stack(routing(critical={"filter": everything}))
    (warning,) = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    assert "matches every finding" in str(warning.entry.data)


def test_every_target_retries_for_a_day_and_then_uses_the_dead_letter_queue(template):
    queue_id, _ = only(template, "AWS::SQS::Queue", "SecurityHubDeadLetterQueue")
    found = rule_targets(template)
    assert len(found) == 5
    for target in found:
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue_id, "Arn"]}}
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def test_a_message_that_nobody_can_work_on_ends_in_the_dead_letter_queue(template):
    queue_id, _ = only(template, "AWS::SQS::Queue", "SecurityHubDeadLetterQueue")
    _, queue = only(template, "AWS::SQS::Queue", "HighQueue")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [queue_id, "Arn"]},
        "maxReceiveCount": 5,
    }


def test_messages_are_kept_for_as_long_as_sqs_can(template):
    queues = resources(template, "AWS::SQS::Queue").values()
    assert [queue["MessageRetentionPeriod"] for queue in queues] == [14 * 86_400] * 2


@pytest.mark.parametrize(
    ("metric", "threshold"),
    [
        ("DeliveryToS3.DataFreshness", 1800),
        ("PartitionCountExceeded", 0),
        ("ApproximateNumberOfMessagesVisible", 1),
    ],
)
def test_an_alarm_tells_that_findings_do_not_arrive(template, metric, threshold):
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "MetricName": metric,
            "Threshold": threshold,
            "Statistic": "Maximum",
            "TreatMissingData": "notBreaching",
            "Dimensions": [{"Name": Match.any_value(), "Value": Match.any_value()}],
        },
    )


def test_no_permission_has_a_wildcard_action(template):
    assert not [s for s in role_statements(template) if "*" in json.dumps(s["Action"])]


def test_no_permission_is_for_every_resource(template):
    assert not [s for s in role_statements(template) if s["Resource"] == "*"]


def test_firehose_may_write_where_it_writes_and_nowhere_else(template):
    bucket_id, _ = only(template, "AWS::S3::Bucket", "ArchiveBucket")
    (written,) = (s["Resource"] for s in role_statements(template) if "s3:PutObject" in s["Action"])
    bucket = {"Fn::GetAtt": [bucket_id, "Arn"]}
    assert written == [{"Fn::Join": ["", [bucket, f"/{prefix}/*"]]} for prefix in ("errors", "findings")]


def test_firehose_may_delete_nothing(template):
    assert "Delete" not in json.dumps([s["Action"] for s in role_statements(template)])


def test_each_role_is_assumed_by_one_service_for_this_account_only(template):
    roles = resources(template, "AWS::IAM::Role").values()
    assert len(roles) == 4
    for role in roles:
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        if service == "lambda.amazonaws.com":
            continue  # which passes only the roles of functions of its own account
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}
        assert service in {"events.amazonaws.com", "firehose.amazonaws.com"}


@pytest.mark.parametrize(
    ("policy_type", "if_named", "rules"),
    [
        ("AWS::SNS::TopicPolicy", "IfExists", ["CriticalRule"]),
        (
            "AWS::SQS::QueuePolicy",
            "",
            ["ArchiveRule", "CriticalRule", "CriticalRuleEachFinding", "HighRule", "HighRule"],
        ),
    ],
)
def test_only_the_rules_of_this_account_may_send(template, policy_type, if_named, rules):
    senders = [
        statement
        for policy in resources(template, policy_type).values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert {json.dumps(s["Principal"]) for s in senders} == {'{"Service": "events.amazonaws.com"}'}
    limits = [s["Condition"] for s in senders]
    assert {one["StringEqualsIfExists"]["aws:SourceAccount"] for one in limits} == {"111122223333"}
    arns = [arn for one in limits for arn in one[f"ArnEquals{if_named}"]["aws:SourceArn"]]
    assert sorted(arn["Fn::GetAtt"][0][:-8] for arn in arns) == rules


@pytest.mark.parametrize(
    "policy_type", ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"]
)
def test_nothing_is_reached_without_tls(template, policy_type):
    policies = resources(template, policy_type).values()
    assert policies
    for policy in policies:
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


@pytest.mark.parametrize(
    ("resource_type", "count", "encrypted"),
    [
        ("AWS::S3::Bucket", 2, {"BucketEncryption": Match.any_value()}),
        ("AWS::SQS::Queue", 2, {"SqsManagedSseEnabled": True}),
        (
            "AWS::KinesisFirehose::DeliveryStream",
            1,
            {"DeliveryStreamEncryptionConfigurationInput": {"KeyType": "AWS_OWNED_CMK"}},
        ),
        ("AWS::SNS::Topic", 1, {"KmsMasterKeyId": Match.any_value()}),
    ],
)
def test_findings_are_encrypted_wherever_they_rest(template, resource_type, count, encrypted):
    template.resource_count_is(resource_type, count)
    template.all_resources_properties(resource_type, encrypted)


def test_the_key_of_the_topic_is_rotated(template):
    template.all_resources_properties("AWS::KMS::Key", {"EnableKeyRotation": True})


def test_no_bucket_can_become_public(template):
    template.all_resources_properties(
        "AWS::S3::Bucket",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            }
        },
    )


def test_the_archive_outlives_its_stack(template):
    buckets = template.find_resources("AWS::S3::Bucket").values()
    assert [bucket["DeletionPolicy"] for bucket in buckets] == ["Retain"] * 2


def test_archived_findings_and_access_logs_expire_after_the_days_of_the_settings(new_stack):
    template = Template.from_stack(new_stack(routing(archive={"retention_days": 90})))
    for bucket in resources(template, "AWS::S3::Bucket").values():
        assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 90


def test_what_was_deleted_from_the_archive_can_be_restored_for_30_days(template):
    _, bucket = only(template, "AWS::S3::Bucket", "ArchiveBucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert rules[0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rules[1]["ExpiredObjectDeleteMarker"] is True


def test_access_to_the_archive_is_logged(template):
    logs_id, _ = only(template, "AWS::S3::Bucket", "ArchiveAccessLogs")
    _, bucket = only(template, "AWS::S3::Bucket", "ArchiveBucket")
    assert bucket["LoggingConfiguration"] == {"DestinationBucketName": {"Ref": logs_id}}


def test_the_archive_has_partitions_by_date_and_account_in_files_that_tools_recognize(template):
    _, stream = only(template, "AWS::KinesisFirehose::DeliveryStream")
    destination = stream["ExtendedS3DestinationConfiguration"]
    assert destination["Prefix"] == (
        "findings/date=!{partitionKeyFromQuery:date}/account=!{partitionKeyFromQuery:account}/"
    )
    assert (destination["CompressionFormat"], destination["FileExtension"]) == ("GZIP", ".jsonl.gz")
    processors = [p["Type"] for p in destination["ProcessingConfiguration"]["Processors"]]
    assert processors == ["MetadataExtraction", "AppendDelimiterToRecord"]


def test_every_address_of_the_settings_is_subscribed(template):
    (topic_id,) = resources(template, "AWS::SNS::Topic")
    subscribed = resources(template, "AWS::SNS::Subscription").values()
    assert {s["Endpoint"] for s in subscribed} == {"soc@example.com", "ciso@example.com"}
    assert all((s["Protocol"], s["TopicArn"]) == ("email", {"Ref": topic_id}) for s in subscribed)


def test_the_chat_gets_what_the_topic_gets_in_its_channel_by_way_of_a_bus(template):
    rules = resources(template, "AWS::Events::Rule")
    (on_bus,) = (rule for rule in rules.values() if "EventBusName" in rule)
    (rule,) = (rule for name, rule in rules.items() if name.startswith("CriticalRule") and rule is not on_bus)
    to_topic, to_function = rule["Targets"]
    assert to_topic["Arn"] == {"Ref": only(template, "AWS::SNS::Topic")[0]}
    assert to_function["Arn"]["Fn::GetAtt"][0] == only(template, "AWS::Lambda::Function")[0]
    (to_slack,) = on_bus["Targets"]
    assert to_slack["Arn"]["Fn::GetAtt"][0] == only(template, "AWS::Events::ApiDestination")[0]
    assert '"channel":"C024BE91L"' in to_slack["InputTransformer"]["InputTemplate"]


def test_the_token_of_the_chat_stays_in_secrets_manager(template):
    _, connection = only(template, "AWS::Events::Connection")
    assert connection["AuthParameters"]["ApiKeyAuthParameters"]["ApiKeyValue"] == (
        "Bearer {{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:111122223333:secret:"
        "securityhub-actions/slack:SecretString:bot_token::}}"
    )


def test_without_slack_there_is_no_chat(new_stack):
    template = Template.from_stack(new_stack(routing()))
    for resource_type in ("AWS::Events::Connection", "AWS::Events::ApiDestination", "AWS::Lambda::Function"):
        template.resource_count_is(resource_type, 0)


def test_where_account_and_region_are_unknown_the_template_names_none(new_stack):
    text = json.dumps(Template.from_stack(new_stack(EVERYTHING, Environment())).to_json())
    assert not [word for word in ("arn:aws:", "us-east-1", "eu-west-1", "111122223333") if word in text]


@pytest.mark.parametrize(
    ("on", "stacks"),
    [
        (set(), {"SecurityHubAnalystActions"}),
        ({"high"}, {"SecurityHubAnalystActions", "SecurityHubFindingsRouting"}),
    ],
)
def test_the_app_has_the_stack_while_any_part_is_on(tmp_path, context, on, stacks):
    settings = load_shipped_settings().model_copy(update={"routing": routing(on=on)})
    synthesize_app(settings, tmp_path, context=context)
    assert {path.name.partition(".")[0] for path in tmp_path.glob("*.template.json")} == stacks
