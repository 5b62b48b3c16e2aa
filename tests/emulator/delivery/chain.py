"""A rule of its own for one test, with targets to deliver to and the policies that they need."""

from __future__ import annotations

import json
import uuid

from tests.emulator.functions import zipped

ACCOUNT, REGION = "111122223333", "eu-west-1"
EVENTS_SERVICE = {"Service": "events.amazonaws.com"}


class Chain:
    """A rule of its own for one test, and what a target of it needs."""

    def __init__(self, aws):
        self.aws = aws
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.source = f"app.{self.name}"
        self.events = aws.client("events")
        pattern = json.dumps({"source": [self.source]})
        self.rule_arn = self.events.put_rule(Name=self.name, EventPattern=pattern)["RuleArn"]

    def queue(self, suffix="queue", *, policy_for=None, account=ACCOUNT):
        sqs = self.aws.client("sqs", account=account)
        url = sqs.create_queue(QueueName=f"{self.name}-{suffix}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if policy_for:
            statement = allow("sqs:SendMessage", arn, policy_for)
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
        return url, arn

    def role(self, action, resource, *, condition=None, trust_condition=None, service="events.amazonaws.com"):
        iam = self.aws.client("iam")
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if trust_condition:
            trust["Condition"] = trust_condition
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        grant = {"Effect": "Allow", "Action": action, "Resource": resource}
        if condition:
            grant["Condition"] = condition
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(grant))
        return arn

    def function(self, code, *, allow_rule=True, source_arn=None, role=None):
        functions = self.aws.client("lambda")
        arn = functions.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Handler="index.handle",
            Role=role or "arn:aws:iam::111122223333:role/none",
            Code={"ZipFile": zipped(code)},
        )["FunctionArn"]
        if allow_rule:
            functions.add_permission(
                FunctionName=self.name,
                StatementId="events",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=source_arn or self.rule_arn,
            )
        return arn

    def target(self, arn, **settings):
        answer = self.events.put_targets(Rule=self.name, Targets=[{"Id": "T", "Arn": arn, **settings}])
        assert answer["FailedEntryCount"] == 0

    def send(self, detail=None, *, resources=()):
        entry = {
            "Source": self.source,
            "DetailType": "Test",
            "Detail": json.dumps(detail or {}),
            "Resources": list(resources),
        }
        return self.events.put_events(Entries=[entry])["Entries"][0]["EventId"]

    def outcome(self, event_id, **wanted):
        def settled():
            found = self.aws.deliveries(event_id=event_id, rule_arn=self.rule_arn, **wanted)
            return found and found[0].outcome != "pending" and found[0]

        return self.aws.wait_until(settled, what="the delivery's outcome")

    def received(self, url, *, account=ACCOUNT):
        sqs = self.aws.client("sqs", account=account)

        def messages():
            return sqs.receive_message(
                QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
            ).get("Messages")

        return self.aws.wait_until(messages, what="a message in the queue")

    def deploy(self, resources, *, operation="create_stack"):
        """Create or update a stack; its status in the end, and the reasons that its events state."""
        stacks = self.aws.client("cloudformation")
        getattr(stacks, operation)(StackName=self.name, TemplateBody=json.dumps({"Resources": resources}))

        def settled():
            status = stacks.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]
            return not status.endswith("IN_PROGRESS") and status

        status = self.aws.wait_until(settled, what="the stack")
        events = stacks.describe_stack_events(StackName=self.name)["StackEvents"]
        return status, " ".join(event.get("ResourceStatusReason", "") for event in events)


def allow(action, resource, rule_arn, **changes):
    condition = {"ArnEquals": {"aws:SourceArn": rule_arn}}
    return {
        "Effect": "Allow",
        "Principal": EVENTS_SERVICE,
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    } | changes


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
