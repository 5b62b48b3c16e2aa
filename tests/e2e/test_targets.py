"""Each AWS target on rules of each kind of event: what it got is read back from the target itself.

One stack is deployed once. Four events are sent and looked for at every target; then every target is broken,
four more are sent, and each has to be in the dead-letter queue.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions import (
    CustomAction,
    CustomActionEvent,
    CustomActionRule,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    targets,
)

# Of its own, so that no other test's findings come along; it has the native type of the action.
REGION = "eu-central-1"
OTHER_ACCOUNT = "444455556666"
OTHER_BUS = "security-findings"
TITLE = 'Bucket "reports" is public: <b>日本語</b> & \\ ünïcödé'
EVENTS = Path(__file__).resolve().parents[1] / "events"

# Each detail-type, and the text in it that targets with parameters get.
KINDS = {
    "Security Hub Findings - Custom Action": "$.detail.findings[0].Title",
    "Security Hub Insight Results": "$.detail.insightName",
    "Security Hub Findings - Imported": "$.detail.findings[0].Title",
    "Findings Imported V2": "$.detail.findings[0].finding_info.title",
}


def arn_of(service, resource, account=DEFAULT_ACCOUNT):
    return f"arn:aws:{service}:{REGION}:{account}:{resource}"


class Scene:
    """The deployed stack, and what the services say about it."""

    def __init__(self, aws, deployment):
        self.aws, self.deployment = aws, deployment

    def client(self, service, account=DEFAULT_ACCOUNT):
        return self.aws.client(service, account=account, region=REGION)

    def messages(self, queue, account=DEFAULT_ACCOUNT):
        """Take everything out of a queue: its ARN, or the id of its construct."""
        client, taken = self.client("sqs", account), []
        if queue.startswith("arn:"):
            url = client.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
        else:
            url = self.deployment.physical_id("AWS::SQS::Queue", queue)
        request = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        while found := client.receive_message(**request).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += found
        return taken

    def bodies(self, queue, account=DEFAULT_ACCOUNT):
        return [json.loads(message["Body"]) for message in self.messages(queue, account)]

    def rules(self):
        """Where the rules of the default bus send: pairs of a rule and one of its targets."""
        client = self.client("events")
        return [
            (rule, target)
            for rule in client.list_rules()["Rules"]
            for target in client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        ]

    def arn(self, target):
        """The ARN under which the rules know a target."""
        (found,) = {to["Arn"] for _, to in self.rules() if re.search(target.arn, to["Arn"])}
        return found

    def roles_for(self, arn):
        """The names of the roles with which the rules reach a target."""
        return {to["RoleArn"].rpartition("/")[2] for _, to in self.rules() if to["Arn"] == arn}

    def settle(self, sent):
        """Wait until the deliveries of events are over and the Lambda function has answered."""

        def over():
            found = [
                delivery
                for event in sent
                for account in (DEFAULT_ACCOUNT, OTHER_ACCOUNT)
                for delivery in self.aws.deliveries(event_id=event["id"], account=account, region=REGION)
            ]
            return found and not any(
                one.outcome == "pending"
                or (one.outcome == "delivered" and ":lambda:" in one.target_arn and not one.answer)
                for one in found
            )

        self.aws.wait_until(over, what="every delivery to be over")


class WholeEvent:
    """A target that gets the event as it is; most are broken by deleting them."""

    error = "NO_RESOURCE"

    @staticmethod
    def expected(event):
        return event


class EncryptedQueue(WholeEvent):
    arn = ":sqs:.*Queue"
    error = "NO_PERMISSIONS"

    def __init__(self, stack):
        self.queue = sqs.Queue(stack, "Queue", encryption_master_key=kms.Key(stack, "QueueKey"))

    def target(self, _):
        return targets.SqsQueue(self.queue)

    @staticmethod
    def received(scene, arn):
        return scene.bodies(arn)

    @staticmethod
    def break_off(scene, _):
        nobody = json.dumps({"Version": "2012-10-17", "Statement": []})
        key = scene.deployment.physical_id("AWS::KMS::Key", "QueueKey")
        scene.client("kms").put_key_policy(KeyId=key, Policy=nobody)


class FifoQueue(WholeEvent):
    arn = ":sqs:.*Ordered"

    def __init__(self, stack):
        self.queue = sqs.Queue(stack, "Ordered", fifo=True, content_based_deduplication=True)

    def target(self, _):
        return targets.SqsQueue(self.queue, message_group_id="findings")

    @staticmethod
    def received(scene, arn):
        return scene.bodies(arn)

    @staticmethod
    def break_off(scene, arn):
        client = scene.client("sqs")
        client.delete_queue(QueueUrl=client.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])


class EncryptedTopic(WholeEvent):
    arn = ":sns:"

    def __init__(self, stack):
        self.topic = sns.Topic(stack, "Topic", master_key=kms.Key(stack, "TopicKey"))
        subscriber = sqs.Queue(stack, "Subscriber")
        self.topic.add_subscription(subscriptions.SqsSubscription(subscriber, raw_message_delivery=True))

    def target(self, _):
        return targets.SnsTopic(self.topic)

    @staticmethod
    def received(scene, _):
        return scene.bodies("Subscriber")

    @staticmethod
    def break_off(scene, arn):
        scene.client("sns").delete_topic(TopicArn=arn)


class EncryptedStream(WholeEvent):
    arn = ":kinesis:"

    def __init__(self, stack):
        self.stream = kinesis.Stream(stack, "Stream", encryption_key=kms.Key(stack, "StreamKey"))

    def target(self, _):
        return targets.KinesisStream(self.stream, partition_key_path="$.account")

    @staticmethod
    def received(scene, arn):
        client = scene.client("kinesis")
        from_start = {"StreamARN": arn, "ShardIteratorType": "TRIM_HORIZON"}
        iterators = [
            client.get_shard_iterator(ShardId=shard["ShardId"], **from_start)["ShardIterator"]
            for shard in client.list_shards(StreamARN=arn)["Shards"]
        ]
        return [
            json.loads(record["Data"])
            for iterator in iterators
            for record in client.get_records(ShardIterator=iterator)["Records"]
            if record["PartitionKey"] == DEFAULT_ACCOUNT
        ]

    @staticmethod
    def break_off(scene, arn):
        scene.client("kinesis").delete_stream(StreamARN=arn)


class StateMachine(WholeEvent):
    arn = ":states:"

    def __init__(self, stack):
        definition = stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(stack, "Pass"))
        self.machine = stepfunctions.StateMachine(stack, "Machine", definition_body=definition)

    def target(self, _):
        return targets.StateMachine(self.machine)

    @staticmethod
    def received(scene, arn):
        client = scene.client("stepfunctions")
        return [
            json.loads(client.describe_execution(executionArn=execution["executionArn"])["input"])
            for execution in client.list_executions(stateMachineArn=arn)["executions"]
        ]

    @staticmethod
    def break_off(scene, arn):
        scene.client("stepfunctions").delete_state_machine(stateMachineArn=arn)


class EncryptedFirehoseStream(WholeEvent):
    arn = ":firehose:"

    def __init__(self, stack):
        bucket = s3.Bucket(stack, "Bucket", removal_policy=RemovalPolicy.RETAIN)
        self.stream = firehose.DeliveryStream(
            stack,
            "Archive",
            destination=firehose.S3Bucket(bucket),
            encryption=firehose.StreamEncryption.customer_managed_key(kms.Key(stack, "ArchiveKey")),
        )

    def target(self, _):
        return targets.FirehoseStream(self.stream)

    @staticmethod
    def received(scene, _):
        client, bucket = scene.client("s3"), scene.deployment.physical_id("AWS::S3::Bucket", "Bucket")
        return [
            json.loads(client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
            for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])
        ]

    @staticmethod
    def break_off(scene, arn):
        scene.client("firehose").delete_delivery_stream(DeliveryStreamName=arn.rpartition("/")[2])


class Bus(WholeEvent):
    arn = f":{DEFAULT_ACCOUNT}:event-bus/"

    def __init__(self, stack):
        self.bus = events.EventBus(stack, "Bus")
        every = events.EventPattern(source=["aws.securityhub"])
        rule = events.Rule(stack, "Forwarding", event_bus=self.bus, event_pattern=every)
        rule.add_target(targets.SqsQueue(sqs.Queue(stack, "Forwarded")))

    def target(self, _):
        return targets.EventBus(self.bus)

    @staticmethod
    def received(scene, _):
        return scene.bodies("Forwarded")

    @staticmethod
    def break_off(scene, arn):
        client, bus = scene.client("events"), {"EventBusName": arn.rpartition("/")[2]}
        (rule,) = client.list_rules(**bus)["Rules"]
        (target,) = client.list_targets_by_rule(Rule=rule["Name"], **bus)["Targets"]
        client.remove_targets(Rule=rule["Name"], Ids=[target["Id"]], **bus)
        client.delete_rule(Name=rule["Name"], **bus)
        client.delete_event_bus(Name=bus["EventBusName"])


class BusOfAnotherAccount(WholeEvent):
    arn = arn_of("events", f"event-bus/{OTHER_BUS}", OTHER_ACCOUNT)
    error = "NO_PERMISSIONS"

    def __init__(self, stack):
        self.bus = events.EventBus.from_event_bus_arn(stack, "OtherBus", self.arn)

    def target(self, _):
        return targets.EventBus(self.bus)

    @staticmethod
    def received(scene, _):
        return scene.bodies(arn_of("sqs", OTHER_BUS, OTHER_ACCOUNT), OTHER_ACCOUNT)

    @staticmethod
    def break_off(scene, _):
        client = scene.client("events", OTHER_ACCOUNT)
        client.remove_permission(EventBusName=OTHER_BUS, RemoveAllPermissions=True)


class LogGroup(WholeEvent):
    arn = ":logs:"

    def __init__(self, stack):
        self.group = logs.LogGroup(stack, "Group")

    def target(self, _):
        return targets.LogGroup(self.group)

    @staticmethod
    def received(scene, arn):
        found = scene.client("logs").filter_log_events(logGroupName=arn.rpartition(":")[2])["events"]
        return [json.loads(entry["message"]) for entry in found]

    @staticmethod
    def break_off(scene, arn):
        scene.client("logs").delete_log_group(logGroupName=arn.rpartition(":")[2])


class Function(WholeEvent):
    arn = ":lambda:"

    def __init__(self, stack):
        self.function = lambda_.Function(
            stack,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handle",
            timeout=Duration.minutes(5),  # not what a busy machine exceeds
            code=lambda_.Code.from_inline("def handle(event, context):\n    return event\n"),
        )

    def target(self, _):
        return targets.LambdaFunction(self.function)

    @staticmethod
    def received(scene, arn):
        found = scene.aws.deliveries(target_arn=arn, region=REGION)
        return [delivery.answer.payload for delivery in found if delivery.answer]

    @staticmethod
    def break_off(scene, arn):
        scene.client("lambda").delete_function(FunctionName=arn)


class Parameters:
    """A target that gets parameters, here two texts of the event."""

    @staticmethod
    def given(path):
        from_event = events.EventField.from_path
        return {"EventId": from_event("$.id"), "About": [from_event(path)]}

    @staticmethod
    def expected(event):
        named = event["detail"].get("insightName")
        return {"EventId": [event["id"]], "About": [named or TITLE]}


class CommandByTag(Parameters):
    arn = ":ssm:.*:document/Isolate-tagged"
    error = "NO_PERMISSIONS"

    def __init__(self, _):
        self.instances = targets.Instances.with_tag("Isolate", "yes", "always")

    def target(self, path):
        return targets.RunCommand("Isolate-tagged", instances=self.instances, parameters=self.given(path))

    @staticmethod
    def commands(scene, arn):
        found = scene.client("ssm").list_commands()["Commands"]
        return [command for command in found if command["DocumentName"] == arn.rpartition("/")[2]]

    @classmethod
    def received(cls, scene, arn):
        return [command["Parameters"] for command in cls.commands(scene, arn)]

    @staticmethod
    def break_off(scene, arn):
        for role in scene.roles_for(arn):
            scene.client("iam").delete_role_policy(RoleName=role, PolicyName="Target")


class CommandById(CommandByTag):
    arn = ":ssm:.*:document/Isolate-named"
    error = "SDK_CLIENT_ERROR"

    def __init__(self, stack):
        self.instances = targets.Instances.with_ids(stack.node.get_context("instance"))

    def target(self, path):
        return targets.RunCommand("Isolate-named", instances=self.instances, parameters=self.given(path))

    @staticmethod
    def break_off(scene, _):
        scene.client("ec2").terminate_instances(InstanceIds=[scene.instances[CommandById]])


class Automation(Parameters):
    arn = ":ssm:.*:automation-definition/Isolate:"
    error = "FAILED_TO_ASSUME_ROLE"

    def __init__(self, stack):
        trust = iam.ServicePrincipal("ssm.amazonaws.com")
        self.role = iam.Role(stack, "Runbook", role_name="runbook", assumed_by=trust)

    def target(self, path):
        return targets.Automation("Isolate", parameters=self.given(path), assume_role=self.role)

    @classmethod
    def expected(cls, event):
        role = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/runbook"
        return {**super().expected(event), "AutomationAssumeRole": [role]}

    @staticmethod
    def received(scene, _):
        client = scene.client("ssm")
        found = client.describe_automation_executions()["AutomationExecutionMetadataList"]
        ids = [one["AutomationExecutionId"] for one in found if one["DocumentName"] == "Isolate"]
        executions = [client.get_automation_execution(AutomationExecutionId=one) for one in ids]
        return [execution["AutomationExecution"]["Parameters"] for execution in executions]

    @staticmethod
    def break_off(scene, arn):
        client = scene.client("iam")
        for role in scene.roles_for(arn):
            client.delete_role_policy(RoleName=role, PolicyName="Target")
            client.delete_role(RoleName=role)


TARGETS = [
    EncryptedQueue,
    FifoQueue,
    EncryptedTopic,
    EncryptedStream,
    StateMachine,
    EncryptedFirehoseStream,
    Bus,
    BusOfAnotherAccount,
    LogGroup,
    Function,
    CommandByTag,
    CommandById,
    Automation,
]
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
each_kind = pytest.mark.parametrize("kind", KINDS)


def declare(stack):
    """Every target on rules of every kind; a rule has up to five."""
    made = [target(stack) for target in TARGETS]
    action = CustomAction(stack, "Action", action_id="All", action_name="All", description="To every target")
    for number in range(0, len(made), 5):
        for kind, path in KINDS.items():
            name = f"{kind.replace(' ', '')}{number}"
            chosen = [target.target(path) for target in made[number : number + 5]]
            if kind == "Security Hub Findings - Imported":
                ImportedFindingsRule(stack, name, targets=chosen)
            elif kind == "Findings Imported V2":
                ImportedFindingsV2Rule(stack, name, targets=chosen)
            else:
                only = [CustomActionEvent(kind)]
                CustomActionRule(stack, name, action=action, events=only, targets=chosen)


def start_instances(scene):
    """One instance with the tag and one without."""
    ec2, one = scene.client("ec2"), {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1}
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Isolate", "Value": "yes"}]}]
    (tagged,) = ec2.run_instances(**one, TagSpecifications=tags)["Instances"]
    (named,) = ec2.run_instances(**one)["Instances"]
    return {CommandByTag: tagged["InstanceId"], CommandById: named["InstanceId"]}


def prepare_other_account(scene, statement):
    """Another account's bus as its owner sets it up, with the statement that lets this account in."""
    client, queue = scene.client("events", OTHER_ACCOUNT), arn_of("sqs", OTHER_BUS, OTHER_ACCOUNT)
    client.create_event_bus(Name=OTHER_BUS)
    client.put_permission(EventBusName=OTHER_BUS, Policy=policy(statement))
    pattern = json.dumps({"source": ["aws.securityhub"], "account": [DEFAULT_ACCOUNT]})
    rule = client.put_rule(Name="All", EventBusName=OTHER_BUS, EventPattern=pattern)["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    scene.client("sqs", OTHER_ACCOUNT).create_queue(
        QueueName=OTHER_BUS, Attributes={"Policy": policy(allowed)}
    )
    client.put_targets(Rule="All", EventBusName=OTHER_BUS, Targets=[{"Id": "Queue", "Arn": queue}])


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement_in(output):
    """The statement that the warning about another owner's policy asks for."""
    warning = output[output.index("must allow events:PutEvents") :]
    statement, _ = json.JSONDecoder().raw_decode(warning[warning.index('{"') :])
    return statement


@pytest.fixture(scope="module")
def scene(aws, new_module_deployment):
    scene = Scene(aws, new_module_deployment(REGION))
    scene.client("securityhub").enable_security_hub_v2()
    scene.instances = start_instances(scene)
    scene.deployment.context = {**scene.deployment.context, "instance": scene.instances[CommandById]}
    prepare_other_account(scene, statement_in(scene.deployment.deploy_with_cli(declare)))
    return scene


def is_about(event, finding):
    return event["source"] == "aws.securityhub" and finding["Id"] in json.dumps(event["detail"])


def send_one_of_each_kind(scene, name):
    """Import a finding, press the action on it and on an insight; return the events by their kind."""
    hub = scene.client("securityhub")
    text = (EVENTS / "findings_imported.json").read_text().replace("eu-west-1", REGION)
    (finding,) = json.loads(text)["detail"]["findings"]
    finding |= {"Id": f"{finding['Id']}-{name}", "Title": TITLE}
    assert hub.batch_import_findings(Findings=[finding])["SuccessCount"] == 1
    # The state machine's own events are on the same bus.
    imported = [event for event in scene.aws.events(region=REGION) if is_about(event, finding)]
    insight = hub.create_insight(
        Name=f"By {name}",
        Filters={"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]},
        GroupByAttribute="ResourceId",
    )["InsightArn"]
    action = arn_of("securityhub", "action/custom/All")
    pressed = [
        *scene.aws.press(action, findings=[finding], region=REGION),
        *scene.aws.press(action, insight_arn=insight, region=REGION),
    ]
    sent = {event["detail-type"]: event for event in [*imported, *pressed]}
    assert sent.keys() == KINDS.keys()
    scene.settle(sent.values())
    return sent


@pytest.fixture(scope="module")
def sent_and_received(scene):
    """The event of each kind, and what each target has once all deliveries are over."""
    sent = send_one_of_each_kind(scene, "first")
    return sent, {target: target.received(scene, scene.arn(target)) for target in TARGETS}


@each_kind
@each_target
def test_a_target_gets_the_event_as_security_hub_sent_it(target, kind, sent_and_received):
    sent, received = sent_and_received
    assert target.expected(sent[kind]) in received[target]


@each_target
def test_a_target_gets_each_event_once_and_nothing_else(target, sent_and_received):
    sent, received = sent_and_received
    assert len(received[target]) == len(sent)


@pytest.mark.parametrize("target", [CommandByTag, CommandById])
@pytest.mark.usefixtures("sent_and_received")
def test_a_command_reaches_its_instances_and_no_others(target, scene):
    commands = target.commands(scene, scene.arn(target))
    instance = scene.instances[target]
    assert {tuple(command["InstanceIds"]) for command in commands} == {(instance,)}
    for command in commands:
        asked = {"CommandId": command["CommandId"], "InstanceId": instance}
        assert scene.client("ssm").get_command_invocation(**asked)["Status"] == "Success"


@pytest.fixture(scope="module")
def sent_in_vain(scene, sent_and_received):
    """Break every target and send again: the rule and ARN of each delivery, the events, the dead letters."""
    _, received = sent_and_received
    assert all(received.values()), "targets that never worked need not be broken"
    assert scene.messages("SecurityHubDeadLetterQueue") == []
    rules = scene.rules()
    for target in TARGETS:
        target.break_off(scene, scene.arn(target))
    sent = send_one_of_each_kind(scene, "second")
    return rules, sent, scene.messages("SecurityHubDeadLetterQueue")


def attributes_of(letter):
    return {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}


@each_target
def test_an_event_that_cannot_be_delivered_waits_in_the_dead_letter_queue_with_the_reason(
    target, sent_in_vain
):
    rules, sent, letters = sent_in_vain
    expected = {
        (rule["Arn"], to["Arn"], target.error): sent[json.loads(rule["EventPattern"])["detail-type"][0]]
        for rule, to in rules
        if re.search(target.arn, to["Arn"])
    }
    found = {
        (said["RULE_ARN"], said["TARGET_ARN"], said["ERROR_CODE"]): json.loads(letter["Body"])
        for letter in letters
        if re.search(target.arn, (said := attributes_of(letter))["TARGET_ARN"]) and said["ERROR_MESSAGE"]
    }
    assert len(expected) == len(KINDS)
    assert found == expected


def test_each_failed_delivery_leaves_one_dead_letter(sent_in_vain):
    rules, _, letters = sent_in_vain
    assert len(letters) == len(rules) == len(TARGETS) * len(KINDS)
