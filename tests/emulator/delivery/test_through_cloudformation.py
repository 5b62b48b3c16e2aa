from __future__ import annotations

import json
import uuid

import pytest

ASSUME = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
CODE = """
def handle(event, context):
    if event["detail"].get("fail"):
        raise ValueError("broken")
    return "done"
"""


def rule(name, target, **settings):
    target = {"Id": "T", "Arn": {"Fn::GetAtt": [target, "Arn"]}, **settings}
    properties = {"EventPattern": {"source": [f"app.{name}"]}, "Targets": [target]}
    return {"Type": "AWS::Events::Rule", "Properties": properties}


def queue_policy(queue, *rules):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": [queue, "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": [one, "Arn"]} for one in rules]}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": queue}], "PolicyDocument": document},
    }


def template(name):
    dead = {"DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Dead", "Arn"]}}}
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Failed", "Arn"]}}
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handle",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": CODE},
    }
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
        "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["Allowed", "Arn"]},
    }
    invoke_config = {
        "FunctionName": {"Ref": "Function"},
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}},
    }
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [send]}}
    return {
        "Resources": {
            "Dead": {"Type": "AWS::SQS::Queue"},
            "Failed": {"Type": "AWS::SQS::Queue"},
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": ASSUME, "Policies": [policy]},
            },
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Invoke": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": invoke_config},
            "Allowed": rule(name, "Function", **dead),
            "Forgotten": rule(name, "Function", **dead, RetryPolicy={"MaximumRetryAttempts": 2}),
            "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
            "DeadPolicy": queue_policy("Dead", "Allowed", "Forgotten"),
        },
        "Outputs": {
            "Dead": {"Value": {"Ref": "Dead"}},
            "Failed": {"Value": {"Ref": "Failed"}},
            "Allowed": {"Value": {"Fn::GetAtt": ["Allowed", "Arn"]}},
            "Forgotten": {"Value": {"Fn::GetAtt": ["Forgotten", "Arn"]}},
        },
    }


@pytest.fixture(scope="module")
def stack(embedded_aws):
    """The name and the outputs of a deployed stack with two rules, of which one has no permission."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cloudformation = embedded_aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template(name)), Capabilities=["CAPABILITY_IAM"]
    )

    def deployed():
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return found["StackStatus"] != "CREATE_IN_PROGRESS" and found

    found = embedded_aws.wait_until(deployed, what="the stack")
    assert found["StackStatus"] == "CREATE_COMPLETE"
    return name, {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def send(aws, name, detail):
    entry = {"Source": f"app.{name}", "DetailType": "Test", "Detail": json.dumps(detail)}
    return aws.client("events").put_events(Entries=[entry])["Entries"][0]["EventId"]


def answered(aws, event_id, rule_arn):
    def delivery():
        [found] = aws.deliveries(event_id=event_id, rule_arn=rule_arn)
        return found.answer and found

    return aws.wait_until(delivery, what="the Lambda's answer")


def message(aws, url):
    def first():
        return aws.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")

    return aws.wait_until(first, what="a message")[0]


def test_a_deployed_permission_lets_its_rule_invoke_the_function(embedded_aws, stack):
    name, outputs = stack
    delivery = answered(embedded_aws, send(embedded_aws, name, {}), outputs["Allowed"])
    assert (delivery.outcome, delivery.answer.payload) == ("delivered", "done")


def test_a_deployed_rule_without_permission_sends_its_events_to_its_dead_letter_queue(embedded_aws, stack):
    name, outputs = stack
    send(embedded_aws, name, {})
    attributes = message(embedded_aws, outputs["Dead"])["MessageAttributes"]
    assert attributes["RULE_ARN"]["StringValue"] == outputs["Forgotten"]
    assert attributes["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_a_deployed_destination_gets_the_record_of_a_failure(embedded_aws, stack):
    name, outputs = stack
    event_id = send(embedded_aws, name, {"fail": True})
    record = json.loads(message(embedded_aws, outputs["Failed"])["Body"])
    assert record["requestPayload"]["id"] == event_id
    assert record["requestContext"]["approximateInvokeCount"] == 1
