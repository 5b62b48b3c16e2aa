"""The events that functions put on buses of the app, and what rules on these make of them."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.findings import finding_items
from securityhub_actions.cli.cost.items import DAYS, Use, merged

USE = Use(
    findings=1000,
    accounts=50,
    matching=Range(10, 100),
    tickets=Range(1, 10),
    remediated=Range(2, 20),
    pressed=Range(0, 7),
)


def function(handler, **variables):
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Handler": handler, "Environment": {"Variables": variables}},
    }


def bus(name):
    return {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}}


def rule(pattern, *targets, on=None):
    found = [{"Id": str(number), "Arn": arn} for number, arn in enumerate(targets)]
    properties = {"EventPattern": pattern, "Targets": found}
    return {
        "Type": "AWS::Events::Rule",
        "Properties": properties | ({"EventBusName": on} if on is not None else {}),
    }


IMPORTED = {
    "source": ["aws.securityhub"],
    "detail-type": ["Security Hub Findings - Imported"],
    "detail": {"findings": {"Workflow": {"Status": ["NEW"]}}},
}
TOPIC = {"Ref": "Topic"}
STREAM = {"Fn::GetAtt": ["Stream", "Arn"]}


@pytest.fixture
def quantities(tmp_path):
    """A function that returns what some resources of an app cost, by the names of the items."""

    def quantities(resources):
        resources = {"Topic": {"Type": "AWS::SNS::Topic"}, **resources}
        (tmp_path / "Stack.template.json").write_text(json.dumps({"Resources": resources}))
        items = finding_items(read_app(tmp_path), USE)
        return {item.name: item.quantity for item in merged(items)}

    return quantities


@pytest.fixture
def reporting():
    """The functions that report outcomes, and one that doesn't, with the bus."""
    handlers = ("remediate", "tickets", "update_findings")
    return {
        "Bus": bus("Outcomes"),
        **{
            name.title().replace("_", ""): function(
                f"functions.{name}.handler.handle", OUTCOME_BUS="Outcomes"
            )
            for name in handlers
        },
        "Digest": function("functions.insight_digest.handler.handle"),
    }


def test_each_outcome_is_a_custom_event(quantities, reporting):
    # What is remediated, opened and resolved, and updated.
    assert quantities(reporting)["Custom events"] == Range(4, 47) * DAYS


def test_a_rule_gets_all_outcomes_or_up_to_all_if_it_chooses_some(quantities, reporting):
    pattern = {"source": ["securityhub-actions.outcomes"]}
    some = pattern | {"detail": {"outcome": ["failed"]}}
    without = quantities(reporting)["Requests to topics"]  # of the digest
    for chosen, low in ((pattern, 4), (some, 0)):
        resources = reporting | {"Rule": rule(chosen, TOPIC, on={"Ref": "Bus"})}
        assert quantities(resources)["Requests to topics"] == Range(low, 47) * DAYS + without


def test_kept_outcomes_are_streamed_and_stored_by_day(quantities, reporting):
    found = quantities(
        reporting
        | {
            "Stream": {"Type": "AWS::KinesisFirehose::DeliveryStream"},
            "Rule": rule({"source": ["securityhub-actions.outcomes"]}, STREAM, on={"Ref": "Bus"}),
        }
    )
    assert found["Outcomes into Firehose"] == Range(4, 47) * DAYS * 5 * 1e-6
    assert found["Objects of Firehose"] == Range(1, 47) * DAYS
    assert {"jq of Firehose", "Partitioning by Firehose", "Kept outcomes, once all are there"} <= found.keys()


def test_each_finding_puts_one_event_for_each_that_its_rules_share(quantities):
    name = "Stack-EachFinding"
    arn = {"Fn::GetAtt": ["Function", "Arn"]}
    each = {
        "Bus": bus(name),
        "Function": function("each_finding_handler.handler.handle", EVENT_BUS_NAME={"Ref": "Bus"}),
        "First": rule(IMPORTED, arn),
        "Second": rule(IMPORTED, arn),
        **{
            f"{route}Route": rule({"detail": {"route": [route]}}, TOPIC, on={"Ref": "Bus"})
            for route in ("First", "Second")
        },
    }
    found = quantities(each)
    assert found["Custom events"] == Range(20, 200) * DAYS
    assert found["Requests to topics"] == Range(20, 200) * DAYS


def test_a_bus_on_which_nothing_is_known_to_be_put_costs_nothing(quantities):
    found = quantities({"Bus": bus("Other"), "Rule": rule({"source": ["a"]}, TOPIC, on={"Ref": "Bus"})})
    assert found == {}


def test_a_rule_that_is_disabled_gives_a_function_nothing(quantities):
    own = function("own.handle")
    matching = rule(IMPORTED, {"Fn::GetAtt": ["Own", "Arn"]})
    assert quantities({"Own": own, "Rule": matching})["Invocations"].high == 100 * DAYS
    matching["Properties"]["State"] = "DISABLED"
    assert "Invocations" not in quantities({"Own": own, "Rule": matching})
