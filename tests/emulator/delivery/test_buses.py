from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.emulator.delivery.chain import ACCOUNT, allow, policy


def test_an_event_goes_on_to_the_rules_of_another_bus(chain):
    bus = chain.events.create_event_bus(Name=chain.name)["EventBusArn"]
    url, arn = chain.queue()
    rule = chain.events.put_rule(
        Name=chain.name, EventBusName=chain.name, EventPattern=json.dumps({"source": [chain.source]})
    )["RuleArn"]
    statement = allow("sqs:SendMessage", arn, rule)
    chain.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
    chain.events.put_targets(Rule=chain.name, EventBusName=chain.name, Targets=[{"Id": "Q", "Arn": arn}])
    chain.target(bus, RoleArn=chain.role("events:PutEvents", bus))
    event_id = chain.send()
    assert json.loads(chain.received(url)[0]["Body"])["id"] == event_id


def test_another_account_must_let_the_sender_in(chain):
    other = "444455556666"
    events = chain.aws.client("events", account=other)
    bus = events.create_event_bus(Name=chain.name)["EventBusArn"]
    chain.target(bus, RoleArn=chain.role("events:PutEvents", bus))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    events.put_permission(
        EventBusName=chain.name, Action="events:PutEvents", Principal=ACCOUNT, StatementId="sender"
    )
    event_id = chain.send()
    assert chain.outcome(event_id).outcome == "delivered"
    arrived = [event for event in chain.aws.events(account=other) if event["id"] == event_id]
    assert [event["account"] for event in arrived] == [ACCOUNT]


def test_a_bus_takes_a_whole_policy(chain):
    other = "444455556666"
    events = chain.aws.client("events", account=other)
    bus = events.create_event_bus(Name=chain.name)["EventBusArn"]
    role = chain.role("events:PutEvents", bus)
    chain.target(bus, RoleArn=role)
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "events:PutEvents", "Resource": bus}
    events.put_permission(EventBusName=chain.name, Policy=policy({**statement, "Principal": {"AWS": other}}))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    events.put_permission(EventBusName=chain.name, Policy=policy(statement))
    assert chain.outcome(chain.send()).outcome == "delivered"


@pytest.mark.parametrize("key", ["events:source", "events:detail-type"])
def test_a_bus_policy_can_ask_where_an_event_comes_from(chain, key):
    other = "444455556666"
    events = chain.aws.client("events", account=other)
    bus = events.create_event_bus(Name=chain.name)["EventBusArn"]
    chain.target(bus, RoleArn=chain.role("events:PutEvents", bus))
    wanted = {"events:source": chain.source, "events:detail-type": "Test"}[key]
    for value, outcome in ((wanted, "delivered"), (f"not {wanted}", "lost")):
        condition = {"StringEquals": {key: value}}
        statement = allow("events:PutEvents", bus, "", Principal={"AWS": ACCOUNT}, Condition=condition)
        events.put_permission(EventBusName=chain.name, Policy=policy(statement))
        assert chain.outcome(chain.send()).outcome == outcome


def test_only_a_statement_that_is_there_is_removed(chain):
    chain.events.create_event_bus(Name=chain.name)
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Statement with the provided id"):
        chain.events.remove_permission(EventBusName=chain.name, StatementId="none")
    with pytest.raises(ClientError, match=f"ResourceNotFoundException.*Event bus {chain.name}-none"):
        chain.events.remove_permission(EventBusName=f"{chain.name}-none", StatementId="none")
    chain.events.put_permission(
        EventBusName=chain.name, Action="events:PutEvents", Principal=ACCOUNT, StatementId="one"
    )
    chain.events.remove_permission(EventBusName=chain.name, StatementId="one")
