"""CloudFormation's side of the custom resource: its requests, and everything outside of the handler."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from securityhub_actions.action_target_handler.handler import ActionTargetResource
from tests.library.fake_security_hub import FakeSecurityHub

PLACE = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/"
ARN = PLACE + "SendToTicketing"
STACK_ID = "arn:aws:cloudformation:eu-west-1:111122223333:stack/Actions/5f0d1b00-0000-0000-0000-000000000000"
SIGNATURE = "c2lnbmF0dXJl"
URL = f"https://cloudformation-custom-resource-response.example/answer?X-Amz-Signature={SIGNATURE}"
PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:handler",
    "ServiceTimeout": "300",
    "Id": "SendToTicketing",
    "Name": "Send to ticketing",
    "Description": "Open a ticket",
}
TEXTS = ("Send to ticketing", "Open a ticket")


def request(request_type, *, physical_id=None, old=None, **properties):
    event = {
        "RequestType": request_type,
        "RequestId": "2b1c9a9e-0000-0000-0000-000000000000",
        "ResponseURL": URL,
        "ResourceType": "Custom::SecurityHubActionTarget",
        "LogicalResourceId": "SendToTicketing",
        "StackId": STACK_ID,
        "ResourceProperties": PROPERTIES | properties,
    }
    if physical_id is not None:
        event["PhysicalResourceId"] = physical_id
    if old is not None:
        event["OldResourceProperties"] = PROPERTIES | old
    return event


@dataclass
class World:
    """Everything outside the handler; its clock moves with each call and each pause."""

    hub: FakeSecurityHub = field(default_factory=FakeSecurityHub)
    seconds_left: float = 120.0
    bodies: list = field(default_factory=list)
    urls: list = field(default_factory=list)
    regions: list = field(default_factory=list)
    put_failures: list = field(default_factory=list)
    stack_status: str | Exception = "UPDATE_IN_PROGRESS"

    def __post_init__(self):
        self.hub.on_call = lambda: self.spend(0.1)
        self.resource = ActionTargetResource(
            make_client=self.client, read_stack_status=self.status_of, put=self.put, sleep=self.spend
        )

    def status_of(self, stack_id, region):
        assert (stack_id, region) == (STACK_ID, "eu-west-1")
        if isinstance(self.stack_status, Exception):
            raise self.stack_status
        return self.stack_status

    def client(self, region):
        self.regions.append(region)
        return self.hub

    def put(self, url, body):
        if self.put_failures:
            raise self.put_failures.pop(0)
        self.urls.append(url)
        self.bodies.append(body)

    def spend(self, seconds):
        self.seconds_left -= seconds

    def get_remaining_time_in_millis(self):
        return int(self.seconds_left * 1000)

    def send(self, event):
        before = len(self.bodies)
        self.resource.respond(event, self)
        assert len(self.bodies) == before + 1
        return json.loads(self.bodies[-1])
