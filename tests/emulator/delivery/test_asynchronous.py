from __future__ import annotations

import json

import pytest

from tests.emulator.delivery.chain import ACCOUNT, REGION

BROKEN = "def handle(event, context):\n    raise ValueError('broken')\n"


def test_a_failing_lambda_is_retried_twice_and_its_record_goes_to_the_on_failure_queue(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    function_arn = chain.function(BROKEN, role=role)
    chain.aws.client("lambda").put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    chain.target(function_arn)
    event_id = chain.send({"n": 1})
    record = json.loads(chain.received(url)[0]["Body"])
    assert record["requestPayload"]["id"] == event_id
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["functionArn"] == f"{function_arn}:$LATEST"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "broken"
    delivery = chain.outcome(event_id)
    assert delivery.outcome == "delivered"
    assert delivery.answer.function_error == "Unhandled"


def test_a_lambda_role_without_permission_keeps_the_record_from_its_destination(chain):
    _, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", f"{arn}-other", service="lambda.amazonaws.com")
    function_arn = chain.function(BROKEN, role=role)
    chain.aws.client("lambda").put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    chain.target(function_arn)
    event_id = chain.send()
    answer = chain.aws.wait_until(lambda: chain.outcome(event_id).answer, what="the Lambda's answer")
    assert answer.destination_error.startswith("NO_PERMISSIONS")


def test_an_on_success_destination_gets_the_answer(chain):
    url, arn = chain.queue("succeeded")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function("def handle(event, context):\n    return 'done'\n", role=role))
    chain.aws.client("lambda").put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    event_id = chain.send()
    record = json.loads(chain.received(url)[0]["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert (record["requestPayload"]["id"], record["responsePayload"]) == (event_id, "done")
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


def test_a_functions_dead_letter_queue_gets_the_event_itself(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function(BROKEN, role=role))
    chain.aws.client("lambda").update_function_configuration(
        FunctionName=chain.name, DeadLetterConfig={"TargetArn": arn}
    )
    event_id = chain.send()
    message = chain.received(url)[0]
    assert json.loads(message["Body"])["id"] == event_id
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "broken"


def test_a_function_that_is_throttled_for_too_long_fails_with_its_events_age(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function("def handle(event, context):\n    return 1\n", role=role))
    functions = chain.aws.client("lambda")
    functions.put_function_concurrency(FunctionName=chain.name, ReservedConcurrentExecutions=0)
    functions.put_function_event_invoke_config(
        FunctionName=chain.name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    chain.send()
    context = json.loads(chain.received(url)[0]["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 0)


@pytest.mark.parametrize("kind", ["queue", "topic"])
@pytest.mark.parametrize("setting", ["destination", "dead-letter queue"])
def test_a_fifo_queue_or_topic_gets_no_record(chain, kind, setting):
    name = f"{chain.name}.fifo"
    if kind == "queue":
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        chain.aws.client("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
    else:
        topic = chain.aws.client("sns").create_topic(Name=name, Attributes={"FifoTopic": "true"})
        arn = topic["TopicArn"]
    role = chain.role(["sqs:SendMessage", "sns:Publish"], arn, service="lambda.amazonaws.com")
    chain.target(chain.function(BROKEN, role=role))
    functions = chain.aws.client("lambda")
    if setting == "destination":
        functions.put_function_event_invoke_config(
            FunctionName=chain.name, DestinationConfig={"OnFailure": {"Destination": arn}}
        )
    else:
        functions.update_function_configuration(FunctionName=chain.name, DeadLetterConfig={"TargetArn": arn})
    event_id = chain.send()
    answer = chain.aws.wait_until(lambda: chain.outcome(event_id).answer, what="the Lambda's answer")
    assert answer.destination_error.startswith(f"INVALID_PARAMETER: {arn} is FIFO")


def test_a_destination_that_fails_does_not_keep_the_event_from_the_dead_letter_queue(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function(BROKEN, role=role))
    functions = chain.aws.client("lambda")
    functions.put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnFailure": {"Destination": f"{arn}-other"}}
    )
    functions.update_function_configuration(FunctionName=chain.name, DeadLetterConfig={"TargetArn": arn})
    event_id = chain.send()
    assert json.loads(chain.received(url)[0]["Body"])["id"] == event_id


def test_an_invocation_counts_until_the_function_has_ended(chain, tmp_path):
    aws, file = chain.aws, tmp_path / "end"
    chain.function(
        "import pathlib\n"
        "def handle(event, context):\n"
        "    while not pathlib.Path(event).exists():\n"
        "        pass\n"
    )
    aws.wait_until(lambda: not aws.invocations(), what="the end of what other tests invoked")
    aws.client("lambda").invoke(
        FunctionName=chain.name, InvocationType="Event", Payload=json.dumps(str(file))
    )
    assert aws.invocations() == 1
    changes = aws.progress()
    file.touch()
    aws.wait_until(lambda: not aws.invocations(), what="the end of the function")
    assert aws.progress() == changes + 1
