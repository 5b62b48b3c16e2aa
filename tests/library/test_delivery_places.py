from __future__ import annotations

import pytest
from aws_cdk import App, Aws, CfnParameter, Environment, Stack, aws_events_targets
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk.assertions import Template

from securityhub_actions import CustomActionRule, Delivery, ImportedFindingsRule, targets
from tests.library.functions import new_function

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
PLACES = [(ACCOUNT, "eu-west-1"), (OTHER_ACCOUNT, "us-east-1")]
QUEUE_ARNS = [f"arn:aws:sqs:{region}:{account}:dead" for account, region in PLACES]


@pytest.fixture
def app():
    return App()


@pytest.fixture
def stack(app):
    return Stack(app, "Stack", env=Environment(account=ACCOUNT, region="us-east-1"))


@pytest.fixture(params=PLACES, ids=["Region", "account"])
def elsewhere(request, app):
    account, region = request.param
    return Stack(app, "Elsewhere", env=Environment(account=account, region=region))


@pytest.fixture
def inbox(stack):
    return targets.SqsQueue(sqs.Queue(stack, "Inbox", enforce_ssl=True))


def send(stack, target, **settings):
    return ImportedFindingsRule(stack, "Findings", targets=[target], **settings)


def named_function(scope, **settings):
    return new_function(scope, "Resource_", function_name="handler", **settings)


def new_queue(scope, **settings):
    return sqs.Queue(scope, "Resource_", queue_name="queue" + ".fifo" * len(settings), **settings)


def machine(scope):
    return stepfunctions.StateMachine(
        scope,
        "Resource_",
        state_machine_name="machine",
        definition_body=stepfunctions.DefinitionBody.from_string("{}"),
    )


ELSEWHERE = {
    "Lambda": lambda scope: targets.LambdaFunction(named_function(scope)),
    "SQS": lambda scope: targets.SqsQueue(new_queue(scope)),
    "SNS": lambda scope: targets.SnsTopic(sns.Topic(scope, "Resource_", topic_name="topic")),
    "Kinesis": lambda scope: targets.KinesisStream(kinesis.Stream(scope, "Resource_", stream_name="stream")),
    "logs": lambda scope: targets.LogGroup(logs.LogGroup(scope, "Resource_", log_group_name="logs")),
    "Step Functions": lambda scope: targets.StateMachine(machine(scope)),
    "Lambda of the CDK": lambda scope: aws_events_targets.LambdaFunction(named_function(scope)),
    "SQS of the CDK": lambda scope: aws_events_targets.SqsQueue(new_queue(scope)),
}


@pytest.mark.parametrize("make", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_target_elsewhere_is_an_error_that_says_what_works(stack, elsewhere, make):
    with pytest.raises(RuntimeError, match=r"The target Elsewhere/Resource_ is in .*Use targets\.EventBus"):
        send(stack, make(elsewhere))


def test_the_error_of_an_action_with_a_target_elsewhere_is_the_same(stack, elsewhere):
    with pytest.raises(RuntimeError, match="The target Elsewhere/Resource_ is in"):
        CustomActionRule(
            stack,
            "Press",
            action_id="Press",
            action_name="Press",
            description="Press",
            targets=[targets.LambdaFunction(named_function(elsewhere))],
        )


def test_no_rule_is_created_elsewhere(app, stack, elsewhere):
    with pytest.raises(RuntimeError):
        send(stack, targets.LambdaFunction(named_function(elsewhere)))
    assert not [
        node for node in app.node.find_all() if isinstance(node, events.CfnRule) and Stack.of(node) != stack
    ]


def test_an_event_bus_elsewhere_is_a_target(stack, elsewhere):
    bus = events.EventBus(elsewhere, "Bus", event_bus_name="bus")
    send(stack, targets.EventBus(bus))
    Template.from_stack(stack).resource_count_is("AWS::Events::Rule", 1)


def test_a_document_that_another_account_shares_is_a_target(stack):
    document = f"arn:aws:ssm:us-east-1:{OTHER_ACCOUNT}:document/Isolate"
    send(stack, targets.RunCommand(document, instances=targets.Instances.with_tag("Patch", "yes")))
    Template.from_stack(stack).resource_count_is("AWS::Events::Rule", 1)


def test_what_is_known_only_at_deployment_is_not_checked(app):
    anywhere = Stack(app, "Anywhere")
    arn = f"arn:{Aws.PARTITION}:sqs:{Aws.REGION}:{Aws.ACCOUNT_ID}:inbox"
    dead = CfnParameter(anywhere, "Dead").value_as_string
    send(
        anywhere,
        targets.SqsQueue(sqs.Queue.from_queue_arn(anywhere, "Inbox", arn)),
        delivery=Delivery(dead_letter_queue=sqs.Queue.from_queue_arn(anywhere, "Dead_", dead)),
    )
    Template.from_stack(anywhere).resource_count_is("AWS::Events::Rule", 1)


def test_a_function_by_its_arn_is_a_target_in_a_stack_whose_region_is_unknown(app):
    anywhere = Stack(app, "Anywhere")
    function = lambda_.Function.from_function_arn(
        anywhere, "Function", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:handler"
    )
    send(anywhere, targets.LambdaFunction(function))
    Template.from_stack(anywhere).resource_count_is("AWS::Events::Rule", 1)


# Dead-letter queues


def test_a_fifo_queue_is_no_dead_letter_queue(stack, inbox):
    with pytest.raises(RuntimeError, match=r"Stack/Resource_ .* is a FIFO queue.*Use a standard queue"):
        send(stack, inbox, delivery=Delivery(dead_letter_queue=new_queue(stack, fifo=True)))


def test_an_imported_fifo_queue_is_no_dead_letter_queue(stack, inbox):
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead.fifo"
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", arn)
    with pytest.raises(RuntimeError, match=r"Stack/Theirs .* is a FIFO queue"):
        send(stack, inbox, delivery=Delivery(dead_letter_queue=theirs))


def test_a_dead_letter_queue_elsewhere_is_an_error(stack, inbox, elsewhere):
    with pytest.raises(RuntimeError, match=r"dead-letter queue Elsewhere/Resource_ is in .* Use a queue in"):
        send(stack, inbox, delivery=Delivery(dead_letter_queue=new_queue(elsewhere)))


@pytest.mark.parametrize("arn", QUEUE_ARNS)
def test_an_imported_dead_letter_queue_elsewhere_is_an_error(stack, inbox, arn):
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", arn)
    with pytest.raises(RuntimeError, match="dead-letter queue Stack/Theirs is in"):
        send(stack, inbox, delivery=Delivery(dead_letter_queue=theirs))


def test_the_dead_letter_queue_of_a_target_of_the_cdk_is_checked_too(stack, elsewhere):
    queue = sqs.Queue(stack, "Inbox")
    with pytest.raises(RuntimeError, match=r"Stack/Resource_ .* is a FIFO queue"):
        send(stack, aws_events_targets.SqsQueue(queue, dead_letter_queue=new_queue(stack, fifo=True)))
    # The CDK checks the Region itself.
    with pytest.raises(
        RuntimeError, match=r"queue Elsewhere/Resource_ is in|queue and the rule must be in the same"
    ):
        ImportedFindingsRule(
            stack,
            "Second",
            targets=[aws_events_targets.SqsQueue(queue, dead_letter_queue=new_queue(elsewhere))],
        )


def test_the_dead_letter_queue_of_a_target_on_a_plain_rule_is_checked_too(stack, inbox):
    rule = events.Rule(stack, "Plain", event_pattern=events.EventPattern(source=["aws.securityhub"]))
    inbox.delivery = Delivery(dead_letter_queue=new_queue(stack, fifo=True))
    with pytest.raises(RuntimeError, match=r"Stack/Resource_ .* is a FIFO queue"):
        rule.add_target(inbox)


# Where functions send what they fail to handle


def fifo_topic(stack):
    return sns.Topic(stack, "Failed", fifo=True, topic_name="failed.fifo")


def fifo_queue(stack):
    return sqs.Queue(stack, "Failed", fifo=True)


FAILED = {
    "queue": lambda stack: {"dead_letter_queue": fifo_queue(stack)},
    "topic": lambda stack: {"dead_letter_topic": fifo_topic(stack)},
    "queue as destination": lambda stack: {"on_failure": destinations.SqsDestination(fifo_queue(stack))},
    "topic as destination": lambda stack: {"on_failure": destinations.SnsDestination(fifo_topic(stack))},
}


@pytest.mark.parametrize("settings", FAILED.values(), ids=FAILED)
def test_a_function_that_sends_failed_events_to_a_fifo_queue_or_topic_is_an_error(stack, settings):
    function = named_function(stack, **settings(stack))
    with pytest.raises(ValueError, match=r"Stack/Resource_ sends events .* to Stack/Failed, which is a FIFO"):
        send(stack, targets.LambdaFunction(function))


def test_an_imported_fifo_queue_as_on_failure_destination_is_an_error(stack):
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead.fifo")
    function = named_function(stack, on_failure=destinations.SqsDestination(theirs))
    with pytest.raises(ValueError, match=r"dead\.fifo, which is a FIFO"):
        send(stack, targets.LambdaFunction(function))
