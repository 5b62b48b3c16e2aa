"""Schedules: what they send, as whom, and what becomes of what can't be delivered."""

from __future__ import annotations

import json
from itertools import count

import pytest

from emulator.launching import EmulatorError

REGION = "eu-west-1"
_accounts = count(510000000001)


class Scheduled:
    """An account with a queue, a dead-letter queue, and a role for the scheduler."""

    def __init__(self, aws):
        self.aws, self.account = aws, str(next(_accounts))
        self.scheduler, self.sqs, self.iam = (self.client(one) for one in ("scheduler", "sqs", "iam"))
        self.urls = {name: self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("inbox", "dead")}
        group = f"arn:aws:scheduler:{REGION}:{self.account}:schedule-group/default"
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "scheduler.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"aws:SourceArn": group, "aws:SourceAccount": self.account}
                    },
                }
            ],
        }
        role = self.iam.create_role(RoleName="scheduler", AssumeRolePolicyDocument=json.dumps(trust))
        self.role = role["Role"]["Arn"]

    def client(self, service):
        return self.aws.client(service, account=self.account, region=REGION)

    def arn(self, queue):
        return f"arn:aws:sqs:{REGION}:{self.account}:{queue}"

    def allow(self, *queues):
        statements = [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": self.arn(one)} for one in queues
        ]
        document = {"Version": "2012-10-17", "Statement": statements}
        self.iam.put_role_policy(RoleName="scheduler", PolicyName="send", PolicyDocument=json.dumps(document))

    def schedule(self, name="nightly", expression="cron(0 3 * * ? *)", **target):
        self.scheduler.create_schedule(
            Name=name,
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": self.arn("inbox"),
                "RoleArn": self.role,
                "Input": json.dumps({"time": "<aws.scheduler.scheduled-time>", "x": 1}),
                "DeadLetterConfig": {"Arn": self.arn("dead")},
                **target,
            },
        )

    def let_come(self, name="nightly", moment="2027-03-31T03:00:00Z"):
        request = {"account": self.account, "region": REGION, "name": name, "time": moment}
        return self.aws.request("POST", "/_emulator/schedules", request)

    def received(self, queue):
        def message():
            got = self.sqs.receive_message(QueueUrl=self.urls[queue], MessageAttributeNames=["All"])
            return next(iter(got.get("Messages", [])), None)

        return self.aws.wait_until(message, what=f"a message in {queue}")


@pytest.fixture
def scheduled(embedded_aws):
    return Scheduled(embedded_aws)


def test_a_schedule_sends_its_input_with_the_time_as_its_role(scheduled):
    scheduled.allow("inbox")
    scheduled.schedule()
    answer = scheduled.let_come()
    expected = {"time": "2027-03-31T03:00:00Z", "x": 1}
    assert json.loads(answer["payload"]) == expected
    assert json.loads(scheduled.received("inbox")["Body"]) == expected


def test_what_the_role_may_not_do_goes_to_the_dead_letter_queue(scheduled):
    scheduled.allow("dead")
    scheduled.schedule()
    scheduled.let_come()
    message = scheduled.received("dead")
    assert json.loads(message["Body"])["x"] == 1
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert attributes["SCHEDULE_ARN"].endswith(":schedule/default/nightly")


@pytest.mark.long
def test_a_one_time_schedule_that_is_due_fires_by_itself_once(scheduled):
    scheduled.allow("inbox")
    scheduled.schedule("once", "at(2026-01-01T00:00:00)")
    assert json.loads(scheduled.received("inbox")["Body"])["time"] == "2026-01-01T00:00:00Z"


def test_the_name_must_tell_which_schedule_is_meant(scheduled):
    scheduled.schedule("a1")
    scheduled.schedule("a2")
    with pytest.raises(EmulatorError, match="these have: a1, a2"):
        scheduled.let_come("a")
