from __future__ import annotations

import json
from itertools import count

import pytest
from botocore.exceptions import ClientError

from emulator.launching import EmulatorError
from tests.emulator.local_server import local_server

_accounts = count(310000000001)
HUSH = "hush-hush"


def template(host="vendor.example.com", *, key=HUSH, rate=10, name=None):
    connection = {
        "AuthorizationType": "API_KEY",
        "AuthParameters": {
            "ApiKeyAuthParameters": {"ApiKeyName": "X-Api-Key", "ApiKeyValue": key},
            "InvocationHttpParameters": {
                "BodyParameters": [{"Key": "routing_key", "Value": key, "IsValueSecret": True}],
                "QueryStringParameters": [{"Key": "team", "Value": "security", "IsValueSecret": False}],
            },
        },
    }
    destination = {
        "ConnectionArn": {"Fn::GetAtt": ["Connection", "Arn"]},
        "HttpMethod": "POST",
        "InvocationEndpoint": f"https://{host}/in?version=2",
        "InvocationRateLimitPerSecond": rate,
    } | ({"Name": name} if name else {})
    rule = {
        "EventPattern": {"source": ["test"]},
        "Targets": [
            {
                "Id": "Target",
                "Arn": {"Fn::GetAtt": ["Destination", "Arn"]},
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "InputPath": "$.detail",
                "RetryPolicy": {"MaximumRetryAttempts": 2},
            }
        ],
    }
    return {
        "Resources": {
            "Connection": {"Type": "AWS::Events::Connection", "Properties": connection},
            "Destination": {"Type": "AWS::Events::ApiDestination", "Properties": destination},
            "Role": {"Type": "AWS::IAM::Role", "Properties": role()},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
        },
        "Outputs": {
            "Connection": {"Value": {"Ref": "Connection"}},
            "ConnectionArn": {"Value": {"Fn::GetAtt": ["Connection", "Arn"]}},
            "Destination": {"Value": {"Ref": "Destination"}},
            "DestinationArn": {"Value": {"Fn::GetAtt": ["Destination", "ArnForPolicy"]}},
        },
    }


def role():
    invoke = {
        "Effect": "Allow",
        "Action": "events:InvokeApiDestination",
        "Resource": {"Fn::GetAtt": ["Destination", "Arn"]},
    }
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [
            {"PolicyName": "Invoke", "PolicyDocument": {"Version": "2012-10-17", "Statement": [invoke]}}
        ],
    }


class Stack:
    def __init__(self, aws):
        self.aws = aws
        account = str(next(_accounts))
        self.cfn = aws.client("cloudformation", account=account)
        self.events = aws.client("events", account=account)
        self.secrets = aws.client("secretsmanager", account=account)

    def create(self, body):
        self.cfn.create_stack(
            StackName="stack", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"]
        )
        return self.settled()

    def update(self, body):
        self.cfn.update_stack(
            StackName="stack", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"]
        )
        return self.settled()

    def settled(self):
        def outputs():
            (stack,) = self.cfn.describe_stacks(StackName="stack")["Stacks"]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        stack = self.aws.wait_until(outputs, what="the stack")
        assert stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def put(self, detail):
        entry = {"Source": "test", "DetailType": "test", "Detail": json.dumps(detail)}
        (answer,) = self.events.put_events(Entries=[entry])["Entries"]
        return answer["EventId"]

    def delivered(self, event_id):
        def done():
            (*_, delivery) = self.aws.deliveries(event_id=event_id) or [None]
            return delivery if delivery and delivery.outcome != "pending" else None

        return self.aws.wait_until(done, what="the delivery")


@pytest.fixture
def stack(embedded_aws):
    return Stack(embedded_aws)


@pytest.fixture
def server():
    with local_server() as server:
        yield server


def stand_for(aws, host, server):
    aws.request("POST", "/_emulator/hosts", {host: server.url})


def test_a_template_creates_a_connection_and_an_api_destination(stack):
    outputs = stack.create(template(rate=7))
    destination = stack.events.describe_api_destination(Name=outputs["Destination"])
    assert destination["ApiDestinationArn"] == outputs["DestinationArn"]
    assert destination["ConnectionArn"] == outputs["ConnectionArn"]
    assert destination["InvocationEndpoint"] == "https://vendor.example.com/in?version=2"
    assert destination["InvocationRateLimitPerSecond"] == 7
    assert stack.events.describe_connection(Name=outputs["Connection"])["ConnectionState"] == "AUTHORIZED"


def test_an_update_changes_them_in_place(stack):
    before = stack.create(template(rate=7))
    after = stack.update(template(host="other.example.com", rate=8))
    assert after == before
    destination = stack.events.describe_api_destination(Name=after["Destination"])
    assert destination["InvocationEndpoint"] == "https://other.example.com/in?version=2"
    assert destination["InvocationRateLimitPerSecond"] == 8


def test_another_name_replaces_the_api_destination(stack):
    stack.create(template(name="one"))
    assert stack.update(template(name="two"))["Destination"] == "two"
    names = [entry["Name"] for entry in stack.events.list_api_destinations()["ApiDestinations"]]
    assert names == ["two"]


def test_deleting_the_stack_deletes_them_although_one_is_gone_already(stack):
    outputs = stack.create(template())
    stack.events.delete_api_destination(Name=outputs["Destination"])
    stack.cfn.delete_stack(StackName="stack")
    stack.aws.wait_until(
        lambda: not stack.events.list_connections()["Connections"], what="the connection to go"
    )


def test_a_refused_property_fails_the_stack_with_the_reason(stack):
    broken = template()
    broken["Resources"]["Destination"]["Properties"]["InvocationEndpoint"] = "ftp://vendor.example.com"
    with pytest.raises(AssertionError):
        stack.create(broken)
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in stack.cfn.describe_stack_events(StackName="stack")["StackEvents"]
    ]
    assert any("InvocationEndpoint" in reason for reason in reasons)


@pytest.mark.parametrize("tags", [[{"Key": "EventBridgeApiDestinations", "Value": "true"}], []])
def test_a_connection_needs_a_key_with_the_tag_of_eventbridge(stack, tags):
    body = template()
    body["Resources"]["Key"] = {"Type": "AWS::KMS::Key", "Properties": {"Tags": tags}}
    body["Resources"]["Connection"]["Properties"]["KmsKeyIdentifier"] = {"Fn::GetAtt": ["Key", "Arn"]}
    if tags:
        assert stack.create(body)["Connection"]
        return
    with pytest.raises(AssertionError):
        stack.create(body)
    events = stack.cfn.describe_stack_events(StackName="stack")["StackEvents"]
    assert any("EventBridgeApiDestinations" in one.get("ResourceStatusReason", "") for one in events)


def test_describing_a_connection_shows_no_secret_but_the_rest(stack):
    outputs = stack.create(template())
    connection = stack.events.describe_connection(Name=outputs["Connection"])
    assert HUSH not in json.dumps(connection, default=str)
    parameters = connection["AuthParameters"]
    assert parameters["ApiKeyAuthParameters"] == {"ApiKeyName": "X-Api-Key"}
    assert parameters["InvocationHttpParameters"]["QueryStringParameters"][0]["Value"] == "security"


def test_describing_a_connection_that_does_not_exist_is_an_error(stack):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        stack.events.describe_connection(Name="missing")


def test_a_reference_to_a_secret_is_resolved_when_the_stack_is_deployed(stack, server):
    stack.secrets.create_secret(Name="vendor", SecretString=json.dumps({"key": "from-the-secret"}))
    stand_for(stack.aws, "reference.example.com", server)
    stack.create(
        template("reference.example.com", key="{{resolve:secretsmanager:vendor:SecretString:key::}}")
    )
    stack.delivered(stack.put({"a": 1}))
    (request,) = server.requests
    assert request.headers["X-Api-Key"] == "from-the-secret"
    assert json.loads(request.body) == {"a": 1, "routing_key": "from-the-secret"}


def test_a_request_to_a_host_arrives_at_the_server_that_stands_for_it(stack, server):
    stand_for(stack.aws, "arrives.example.com", server)
    stack.create(template("arrives.example.com"))
    assert stack.delivered(stack.put({"a": "ä"})).outcome == "delivered"
    (request,) = server.requests
    assert request.path == "/in?version=2&team=security"
    assert request.headers["Host"] == "arrives.example.com"
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["User-Agent"] == "Amazon/EventBridge/ApiDestinations"


def test_a_host_that_no_server_stands_for_is_not_reached(stack):
    stack.create(template("nobody.example.com"))
    delivery = stack.delivered(stack.put({}))
    assert delivery.error_code == "CONNECTION_FAILURE"
    assert "no local server stands for nobody.example.com" in delivery.error_message


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (429, 3), (400, 1), (404, 1), (302, 1)])
def test_a_failed_request_is_repeated_as_eventbridge_documents(stack, server, status, attempts):
    host = f"status{status}.example.com"
    stand_for(stack.aws, host, server)
    server.status = status
    stack.create(template(host))
    delivery = stack.delivered(stack.put({}))
    assert delivery.attempts == len(server.requests) == attempts
    assert (delivery.outcome, delivery.error_code) == ("lost", "ERROR_FROM_TARGET")


@pytest.mark.parametrize("status", [401, 407])
def test_a_refused_credential_deauthorizes_the_connection_until_it_is_updated(stack, server, status):
    host = f"refused{status}.example.com"
    stand_for(stack.aws, host, server)
    server.status = status
    name = stack.create(template(host))["Connection"]
    delivery = stack.delivered(stack.put({"a": 1}))
    assert (delivery.outcome, delivery.attempts, len(server.requests)) == ("lost", 3, 1)
    found = stack.events.describe_connection(Name=name)
    assert (found["ConnectionState"], str(status) in found["StateReason"]) == ("DEAUTHORIZED", True)
    server.status = 200
    stack.update(template(host, rate=11))
    assert stack.events.describe_connection(Name=name)["ConnectionState"] == "DEAUTHORIZED"
    stack.update(template(host, key="another", rate=11))
    found = stack.events.describe_connection(Name=name)
    assert (found["ConnectionState"], "StateReason" in found) == ("AUTHORIZED", False)
    assert stack.delivered(stack.put({"a": 2})).outcome == "delivered"


def test_an_update_of_a_connection_reads_its_secrets_again_and_one_without_a_change_does_not(stack, server):
    stack.secrets.create_secret(Name="vendor", SecretString='{"key": "first"}')
    stand_for(stack.aws, "rotated.example.com", server)
    body = template("rotated.example.com", key="{{resolve:secretsmanager:vendor:SecretString:key::}}")
    stack.create(body)
    stack.secrets.put_secret_value(SecretId="vendor", SecretString='{"key": "second"}')
    stack.update(body)
    stack.delivered(stack.put({}))
    body["Resources"]["Connection"]["Properties"]["Description"] = "Secrets as of 2026-11-30"
    stack.update(body)
    stack.delivered(stack.put({}))
    assert [one.headers["X-Api-Key"] for one in server.requests] == ["first", "second"]


@pytest.mark.parametrize("server", ["https://127.0.0.1:1", "http://example.com", "http://127.0.0.1/path", 5])
def test_only_a_local_server_can_stand_for_a_host(embedded_aws, server):
    with pytest.raises(EmulatorError, match=r"cannot stand for vendor\.example\.com"):
        embedded_aws.request("POST", "/_emulator/hosts", {"vendor.example.com": server})
