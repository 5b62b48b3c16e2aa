from __future__ import annotations

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import ImportedFindingsRule, targets

THEIRS = "arn:aws:events:eu-west-1:444455556666:event-bus/security"


@pytest.fixture
def bus(stack):
    return events.EventBus(stack, "Bus")


def test_the_bus_gets_the_event_as_it_is(stack, send, bus, target_of):
    send(targets.EventBus(bus))
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(bus.event_bus_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer"}


def test_the_role_may_put_events_on_this_bus_only(stack, send, bus, permissions_of):
    send(targets.EventBus(bus))
    assert permissions_of(stack) == [
        {"Effect": "Allow", "Action": "events:PutEvents", "Resource": stack.resolve(bus.event_bus_arn)}
    ]


def test_a_bus_of_the_same_account_needs_no_policy(stack, send, bus):
    send(targets.EventBus(bus))
    Template.from_stack(stack).resource_count_is("AWS::Events::EventBusPolicy", 0)


def test_a_bus_in_another_account_and_region_can_be_reached(stack, send, target_of, permissions_of):
    send(targets.EventBus(events.EventBus.from_event_bus_arn(stack, "Theirs", THEIRS)))
    assert target_of(stack)["Arn"] == THEIRS
    assert permissions_of(stack)[0]["Resource"] == THEIRS


def test_a_bus_of_somebody_else_gives_a_warning_with_the_statement_that_it_needs(stack, send):
    send(targets.EventBus(events.EventBus.from_event_bus_arn(stack, "Theirs", THEIRS)))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Findings/Rule",
        Match.string_like_regexp(
            r'Stack/Theirs is not part of this app.*"Action": "events:PutEvents".*'
            r'"StringEquals": {"events:source": "aws.securityhub"}.*'
            rf'arn:aws:iam::111122223333:root.*"Resource": "{THEIRS}"'.replace("arn:aws:iam", ":iam")
        ),
    )


def test_a_bus_of_this_app_in_another_account_lets_in_only_what_really_comes_from_security_hub():
    app = App()
    there = Stack(app, "There", env=Environment(account="444455556666", region="us-east-1"))
    here = Stack(app, "Here", env=Environment(account="111122223333", region="us-east-1"))
    bus = events.EventBus(there, "Bus", event_bus_name="security")
    for name in ("One", "Two"):
        ImportedFindingsRule(here, name, targets=[targets.EventBus(bus)])
    (policy,) = Template.from_stack(there).find_resources("AWS::Events::EventBusPolicy").values()
    statement = policy["Properties"]["Statement"]
    assert statement["Action"] == "events:PutEvents"
    assert str(statement["Principal"]["AWS"]).count(":iam::111122223333:root") == 1
    assert statement["Condition"] == {"StringEquals": {"events:source": "aws.securityhub"}}


def test_a_bus_whose_account_is_only_known_on_deployment_gives_no_warning(send):
    stack = Stack(App(), "Anywhere")
    send(targets.EventBus(events.EventBus.from_event_bus_name(stack, "Bus", "security")), scope=stack)
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


OWN_BUS = "is on the event bus that is its target"


def test_a_rule_does_not_send_events_to_the_bus_that_it_is_on(stack, send):
    """As a stack would that forwards to a central Region, in the central Region itself."""
    central = "arn:aws:events:us-east-1:111122223333:event-bus/default"
    with pytest.raises(RuntimeError, match=OWN_BUS):
        send(targets.EventBus(events.EventBus.from_event_bus_arn(stack, "Central", central)))


def test_a_rule_on_another_bus_does_not_either(stack, bus):
    rule = events.Rule(stack, "Rule", event_bus=bus, event_pattern=events.EventPattern(source=["a"]))
    with pytest.raises(RuntimeError, match=OWN_BUS):
        rule.add_target(targets.EventBus(bus))


@pytest.mark.parametrize("environment", [Environment(account="111122223333", region="eu-west-1"), None])
def test_elsewhere_a_rule_sends_events_to_the_default_bus_there(environment):
    stack = Stack(App(), "Stack", env=environment)
    central = "arn:aws:events:us-east-1:111122223333:event-bus/default"
    bus = events.EventBus.from_event_bus_arn(stack, "Central", central)
    ImportedFindingsRule(stack, "Findings", targets=[targets.EventBus(bus)])
    Template.from_stack(stack).resource_count_is("AWS::Events::Rule", 1)
