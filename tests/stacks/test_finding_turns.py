from __future__ import annotations

import json

import pytest
from aws_cdk.assertions import Template

from stacks.analyst_actions import AnalystActionsStack
from stacks.finding_turns import FindingTurnsStack
from stacks.remediation import RemediationStack
from stacks.ticketing import TicketingStack

VARIABLE = "FINDING_TURNS_TABLE"


@pytest.fixture(scope="module")
def templates(new_app, environment, remediation_settings, ticketing_settings):
    app = new_app()
    turns = FindingTurnsStack(app, "FindingTurns", env=environment)
    stacks = {
        "FindingTurns": turns,
        "AnalystActions": AnalystActionsStack(app, "AnalystActions", turns=turns.table, env=environment),
        "Remediation": RemediationStack(
            app, "Remediation", settings=remediation_settings(), turns=turns.table, env=environment
        ),
        "Ticketing": TicketingStack(
            app, "Ticketing", settings=ticketing_settings(), turns=turns.table, env=environment
        ),
    }
    app.synth()
    return {name: Template.from_stack(stack) for name, stack in stacks.items()}


def test_the_snapshot_is_what_was_reviewed(templates, snapshot, without_asset_hashes):
    assert without_asset_hashes(templates["FindingTurns"].to_json()) == snapshot


@pytest.mark.parametrize(("stack", "writers"), [("AnalystActions", 2), ("Remediation", 1), ("Ticketing", 1)])
def test_every_function_that_writes_to_findings_has_the_table_and_the_four_operations(
    templates, stack, writers
):
    template = templates[stack]
    tables = [
        function["Properties"]["Environment"]["Variables"][VARIABLE]
        for function in template.find_resources("AWS::Lambda::Function").values()
        if VARIABLE in function["Properties"].get("Environment", {}).get("Variables", {})
    ]
    assert len(tables) == writers
    assert all(table["Fn::GetStackOutput"]["StackName"] == "FindingTurns" for table in tables)
    allowed = [
        statement["Action"]
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "FindingTurns" in str(statement["Resource"])
    ]
    operations = ("DeleteItem", "GetItem", "PutItem", "UpdateItem")
    assert allowed == [[f"dynamodb:{operation}" for operation in operations]] * writers


def test_the_stacks_that_share_turns_do_not_depend_on_each_other(templates):
    for name in ("AnalystActions", "Remediation", "Ticketing"):
        text = json.dumps(templates[name].to_json())
        assert text.count("Fn::GetStackOutput") == text.count('"StackName": "FindingTurns"') > 0
        assert "Fn::ImportValue" not in text
