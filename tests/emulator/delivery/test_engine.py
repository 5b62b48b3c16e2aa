from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.emulator.delivery.chain import ACCOUNT, REGION, allow, policy
from tests.serving import serving


def test_a_delivery_is_in_the_log_as_soon_as_the_event_was_taken(chain):
    _, arn = chain.queue(policy_for=chain.rule_arn)
    chain.target(arn)
    [delivery] = chain.aws.deliveries(event_id=chain.send())
    assert (delivery.rule_arn, delivery.target_id, delivery.target_arn) == (chain.rule_arn, "T", arn)


def test_a_dead_letter_queue_that_refuses_loses_the_event_and_the_log_says_why(chain):
    _, arn = chain.queue()
    _, dead_arn = chain.queue("dead")
    chain.target(arn, DeadLetterConfig={"Arn": dead_arn})
    delivery = chain.outcome(chain.send())
    assert delivery.outcome == "lost"
    assert dead_arn in delivery.error_message


def test_an_encrypted_dead_letter_queue_needs_a_key_that_lets_eventbridge_in(chain):
    sqs, kms = chain.aws.client("sqs"), chain.aws.client("kms")
    dead_url, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    chain.target(f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere", DeadLetterConfig={"Arn": dead_arn})
    sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    assert "alias/aws/sqs" in chain.outcome(chain.send()).error_message
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"KmsMasterKeyId": key})
    assert "kms:GenerateDataKey" in chain.outcome(chain.send()).error_message
    statement = allow(["kms:GenerateDataKey", "kms:Decrypt"], "*", chain.rule_arn)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(statement))
    assert chain.outcome(chain.send()).outcome == "dead-lettered"


def test_a_target_that_does_not_exist_is_not_retried(chain):
    chain.target(f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere")
    delivery = chain.outcome(chain.send())
    assert (delivery.outcome, delivery.error_code, delivery.attempts) == ("lost", "NO_RESOURCE", 1)


@pytest.fixture
def unavailable():
    """A web server that counts its calls and answers each with 503."""
    calls = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            calls.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url, calls


def test_an_unavailable_api_destination_is_retried_as_the_policy_says_and_then_dead_lettered(
    chain, unavailable
):
    url, calls = unavailable
    connection = chain.events.create_connection(
        Name=chain.name,
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}},
    )["ConnectionArn"]
    arn = chain.events.create_api_destination(
        Name=chain.name, ConnectionArn=connection, InvocationEndpoint=url, HttpMethod="POST"
    )["ApiDestinationArn"]
    dead_url, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    chain.target(
        arn,
        RoleArn=chain.role("events:InvokeApiDestination", arn),
        RetryPolicy={"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
        DeadLetterConfig={"Arn": dead_arn},
    )
    delivery = chain.outcome(chain.send())
    assert (delivery.outcome, delivery.attempts, len(calls)) == ("dead-lettered", 4, 4)
    attributes = chain.received(dead_url)[0]["MessageAttributes"]
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumRetryAttempts"
    assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "3"
    assert attributes["ERROR_CODE"]["StringValue"] == "ERROR_FROM_TARGET"


def test_a_kind_of_target_that_is_not_supported_says_so(chain):
    chain.target(
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/x", RoleArn="arn:aws:iam::111122223333:role/r"
    )
    delivery = chain.outcome(chain.send())
    assert delivery.outcome == "lost"
    assert "does not deliver to" in delivery.error_message
