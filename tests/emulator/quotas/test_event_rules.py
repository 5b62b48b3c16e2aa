from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from emulator.quotas.event_rules import has_wildcard
from tests.emulator.delivery.chain import ACCOUNT, REGION

QUEUES = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
TOO_MANY = "The requested resource exceeds the maximum number allowed"


@pytest.fixture
def bus(chain):
    """A bus without rules, which counts on its own."""
    chain.events.create_event_bus(Name=chain.name)
    return chain.name


def put_rule(chain, bus, name, pattern):
    chain.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))


def targets(chain, number):
    return [{"Id": str(position), "Arn": f"{QUEUES}:{chain.name}-{position}"} for position in range(number)]


def test_a_bus_takes_300_rules_and_a_change_of_one_of_them(chain, bus):
    for number in range(300):
        put_rule(chain, bus, f"rule-{number}", {"source": ["one"]})
    with pytest.raises(ClientError, match=f"LimitExceededException.*{TOO_MANY}"):
        put_rule(chain, bus, "one-more", {"source": ["one"]})
    put_rule(chain, bus, "rule-7", {"source": ["another"]})


def test_some_regions_take_only_100_rules(chain):
    events = chain.aws.client("events", region="af-south-1")
    events.create_event_bus(Name=chain.name)
    rule = {"EventBusName": chain.name, "EventPattern": '{"source": ["one"]}'}
    for number in range(100):
        events.put_rule(Name=f"rule-{number}", **rule)
    with pytest.raises(ClientError, match=TOO_MANY):
        events.put_rule(Name="one-more", **rule)


def test_a_bus_takes_30_rules_with_a_wildcard(chain, bus):
    for number in range(30):
        put_rule(chain, bus, f"rule-{number}", {"source": [{"wildcard": "a*b"}]})
    with pytest.raises(ClientError, match=f"LimitExceededException.*{TOO_MANY}"):
        put_rule(chain, bus, "one-more", {"source": [{"anything-but": {"wildcard": "a*b"}}]})
    put_rule(chain, bus, "without", {"source": ["one"]})


@pytest.mark.parametrize(("length", "refused"), [(2048, False), (2049, True)])
def test_a_pattern_has_2048_characters_at_most(chain, bus, length, refused):
    pattern = {"source": ["x" * (length - len(json.dumps({"source": [""]})))]}
    assert len(json.dumps(pattern)) == length
    if refused:
        with pytest.raises(ClientError, match="2049 characters; the quota is 2048"):
            put_rule(chain, bus, "long", pattern)
    else:
        put_rule(chain, bus, "long", pattern)


def test_a_rule_takes_five_targets(chain):
    chain.events.put_targets(Rule=chain.name, Targets=targets(chain, 5))
    chain.events.put_targets(Rule=chain.name, Targets=targets(chain, 2))
    with pytest.raises(ClientError, match=f"LimitExceededException.*{TOO_MANY}"):
        chain.events.put_targets(Rule=chain.name, Targets=targets(chain, 6)[5:])


def test_a_fifo_queue_is_no_dead_letter_queue(chain):
    [target] = targets(chain, 1)
    target["DeadLetterConfig"] = {"Arn": f"{QUEUES}:dead.fifo"}
    with pytest.raises(ClientError, match=r"ValidationException.*SQS FIFO is not supported by Dead Letter"):
        chain.events.put_targets(Rule=chain.name, Targets=[target])


def test_a_fifo_queue_is_a_target_only_with_a_message_group(chain):
    target = {"Id": "T", "Arn": f"{QUEUES}:events.fifo"}
    with pytest.raises(ClientError, match="SqsParameters must be specified for target: T"):
        chain.events.put_targets(Rule=chain.name, Targets=[target])
    target["SqsParameters"] = {"MessageGroupId": "group"}
    assert chain.events.put_targets(Rule=chain.name, Targets=[target])["FailedEntryCount"] == 0


def test_a_rule_with_targets_is_not_deleted(chain):
    chain.events.put_targets(Rule=chain.name, Targets=targets(chain, 1))
    with pytest.raises(ClientError, match=r"ValidationException.*since it has targets"):
        chain.events.delete_rule(Name=chain.name)
    chain.events.remove_targets(Rule=chain.name, Ids=[targets(chain, 1)[0]["Id"]])
    chain.events.delete_rule(Name=chain.name)


def test_a_rule_has_a_pattern_or_a_schedule(chain):
    with pytest.raises(ClientError, match=r"ValidationException.*EventPattern or ScheduleExpression"):
        chain.events.put_rule(Name=f"{chain.name}-none")


LOG_GROUP = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/events/x"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"InputPath": "$.detail", "InputTransformer": {"InputTemplate": "{}"}},
            "Only one of Input, InputPath",
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.id"}, "InputTemplate": '"<a> <b>"'}},
            "InputTemplate for target T contains invalid placeholder b.",
        ),
        ({"Arn": LOG_GROUP, "Input": '"text"'}, "Target T requires an InputTemplate"),
        ({"Arn": LOG_GROUP, "InputPath": "$.detail"}, "Target T requires an InputTemplate"),
        (
            {"Arn": LOG_GROUP, "InputTransformer": {"InputTemplate": '{"message": <aws.events.event>}'}},
            "Target T requires an InputTemplate",
        ),
    ],
)
def test_an_input_that_aws_refuses_is_refused(chain, settings, message):
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        chain.events.put_targets(Rule=chain.name, Targets=[{"Id": "T", "Arn": f"{QUEUES}:q", **settings}])


def rule(chain, **changes):
    properties = {
        "Name": f"{chain.name}-stack",
        "EventPattern": {"source": ["one"]},
        "Targets": targets(chain, 1),
    } | changes
    return {"Rule": {"Type": "AWS::Events::Rule", "Properties": properties}}


def wide(characters):
    """A pattern of an object whose compact text has the given length."""
    pattern = {"source": [], "detail": {"findings": {"Title": ["é", ""]}}}
    text = json.dumps(pattern, separators=(",", ":"), ensure_ascii=False)
    pattern["detail"]["findings"]["Title"][1] = "x" * (characters - len(text))
    return pattern


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"EventPattern": wide(2049)}, "2049 characters; the quota is 2048"),
        (
            {"Targets": [{"Id": str(n), "Arn": f"{QUEUES}:q"} for n in range(6)]},
            TOO_MANY,
        ),
        (
            {
                "Targets": [
                    {
                        "Id": "T",
                        "Arn": f"{QUEUES}:q",
                        "DeadLetterConfig": {"Arn": f"{QUEUES}:dead.fifo"},
                    }
                ]
            },
            "SQS FIFO is not supported by Dead Letter Queues",
        ),
    ],
)
def test_a_stack_can_neither_create_nor_change_a_rule_past_a_quota(chain, changes, reason):
    status, reasons = chain.deploy(rule(chain, **changes))
    assert status in {"ROLLBACK_COMPLETE", "CREATE_FAILED"}
    assert reason in reasons
    chain.aws.client("cloudformation").delete_stack(StackName=chain.name)
    assert chain.deploy(rule(chain, EventPattern=wide(2048)))[0] == "CREATE_COMPLETE"
    status, reasons = chain.deploy(rule(chain, **changes), operation="update_stack")
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in reasons


WILDCARD_FIELD = st.sampled_from([{"wildcard": "a*"}, {"anything-but": {"wildcard": ["a*", "b*"]}}])
OTHER_CONDITION = st.sampled_from(["a", 1, None, {"prefix": "wildcard"}, {"anything-but": ["wildcard"]}])


def nested(conditions):
    """Patterns that have one of the conditions, however deep and next to whatever else."""
    fields = st.sampled_from(["source", "wildcard", "anything-but", "detail"])
    leaves = st.builds(
        lambda condition, others: [*others, condition], conditions, st.lists(OTHER_CONDITION, max_size=2)
    )
    within = st.recursive(
        st.builds(lambda name, leaf: {name: leaf}, fields, leaves),
        lambda inner: (
            st.builds(lambda name, value: {name: value}, fields, inner)
            | st.builds(lambda value: {"$or": [{"source": ["a"]}, value]}, inner)
        ),
        max_leaves=4,
    )
    return st.builds(lambda pattern: {**pattern, "account": ["1"]}, within)


@given(nested(WILDCARD_FIELD))
def test_a_wildcard_is_found_wherever_it_is(pattern):
    assert has_wildcard(json.dumps(pattern))


@given(nested(OTHER_CONDITION))
def test_a_field_of_that_name_is_no_wildcard(pattern):
    assert not has_wildcard(json.dumps(pattern))
