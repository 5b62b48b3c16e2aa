from __future__ import annotations

import asyncio
import json

from ministack import app
from ministack.services import sts
from ministack.services.cloudformation import handlers

from emulator.cloudformation import waits

TEMPLATE = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})


def test_whoever_asks_for_a_stack_that_is_being_made_is_told_when_it_is_there(embedded_aws):
    cloudformation = embedded_aws.client("cloudformation")
    cloudformation.create_stack(StackName="asked-at-once", TemplateBody=TEMPLATE)
    (stack,) = cloudformation.describe_stacks(StackName="asked-at-once")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName=stack["StackId"])
    (stack,) = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"


def test_a_function_that_asks_for_the_stack_that_waits_for_it_is_answered_at_once(monkeypatch):
    async def handle(*_):
        return "the answer"

    async def refuse_to_wait(_):
        raise AssertionError("it waits")

    monkeypatch.setitem(app.SERVICE_HANDLERS, "cloudformation", handle)
    monkeypatch.setattr(handlers, "_resolve_stack", lambda _: {"StackStatus": "UPDATE_IN_PROGRESS"})
    monkeypatch.setattr(sts, "_sessions", {"KEY": {"Arn": "arn:aws:sts::111122223333:assumed-role/f/f"}})
    monkeypatch.setattr(asyncio, "sleep", refuse_to_wait)
    waits.register()
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=KEY/20260101/eu-west-1/cloudformation/aws4_request"
    }
    body = b"Action=DescribeStacks&StackName=stack"
    answer = app.SERVICE_HANDLERS["cloudformation"]("POST", "/", headers, body, {})
    assert asyncio.run(answer) == "the answer"
