from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from aws_cdk.assertions import Template

from stacks.analyst_actions import AnalystActionsStack
from stacks.outcome_audit import COLUMNS
from stacks.outcome_queries import QUERIES, TABLE
from stacks.outcomes import DETAIL_TYPE, SOURCE, OutcomesStack
from stacks.remediation import RemediationStack
from stacks.settings.outcomes import OutcomesSettings
from stacks.ticketing import TicketingStack
from tests.shipped_settings import load_shipped_settings

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "outcome-event.schema.json").read_text())
GROUPS = {"production": ["111122223333"]}


@pytest.fixture(scope="module")
def outcomes_settings():
    def make(**changes):
        return OutcomesSettings.model_validate({**load_shipped_settings().outcomes.model_dump(), **changes})

    return make


@pytest.fixture(scope="module")
def templates(new_checked_app, environment, remediation_settings, ticketing_settings, outcomes_settings):
    app = new_checked_app()
    outcomes = OutcomesStack(
        app, "Outcomes", settings=outcomes_settings(account_groups=GROUPS), env=environment
    )
    stacks = {
        "Outcomes": outcomes,
        "AnalystActions": AnalystActionsStack(app, "AnalystActions", outcomes=outcomes, env=environment),
        "Remediation": RemediationStack(
            app, "Remediation", settings=remediation_settings(), outcomes=outcomes, env=environment
        ),
        "Ticketing": TicketingStack(
            app, "Ticketing", settings=ticketing_settings(), outcomes=outcomes, env=environment
        ),
    }
    assembly = app.synth()
    for name in ("AnalystActions", "Remediation", "Ticketing"):
        assert "Outcomes" in [one.id for one in assembly.get_stack_by_name(name).dependencies]
    return {name: Template.from_stack(stack) for name, stack in stacks.items()}


def test_the_snapshot_is_what_was_reviewed(templates, snapshot, without_asset_hashes):
    assert without_asset_hashes(templates["Outcomes"].to_json()) == snapshot


@pytest.mark.parametrize(("stack", "count"), [("AnalystActions", 2), ("Remediation", 1), ("Ticketing", 1)])
def test_every_function_that_changes_something_may_put_only_outcomes_on_only_this_bus(
    templates, stack, count
):
    template = templates[stack]
    reporting = [
        variables
        for function in template.find_resources("AWS::Lambda::Function").values()
        if "OUTCOME_BUS" in (variables := function["Properties"].get("Environment", {}).get("Variables", {}))
    ]
    assert [
        (one["OUTCOME_BUS"], one["OUTCOME_METRICS"], json.loads(one["ACCOUNT_GROUPS"])) for one in reporting
    ] == [("Outcomes", "on", GROUPS)] * count
    statements = [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "events:PutEvents" in statement["Action"]
    ]
    assert len(statements) == count
    for statement in statements:
        assert statement["Action"] == "events:PutEvents"
        assert str(statement["Resource"]).count(":event-bus/Outcomes") == 1
        assert statement["Condition"] == {
            "StringEquals": {"events:source": SOURCE, "events:detail-type": DETAIL_TYPE}
        }


def test_the_columns_of_the_table_are_the_fields_of_the_event_in_any_case():
    def kind(field):
        if "properties" in field:
            return f"struct<{','.join(f'{name}:{kind(one)}' for name, one in field['properties'].items())}>"
        named = field.get("type", "string")
        named = next(one for one in named if one != "null") if isinstance(named, list) else named
        return {"number": "double", "array": "array<string>"}.get(named, named)

    assert {name: kind(field) for name, field in SCHEMA["properties"].items()} == COLUMNS


def test_the_queries_name_columns_that_there_are_and_the_table():
    fields = {
        *COLUMNS,
        *SCHEMA["properties"]["cause"]["properties"],
        *SCHEMA["properties"]["finding"]["properties"],
    }
    known = {name.lower() for name in fields}
    for query in QUERIES.values():
        assert f"FROM {TABLE}\n" in query.sql
        named = re.findall(r"\b(?:cause|finding)\.(\w+)", query.sql)
        assert named
        assert [name for name in named if name not in known] == []


def test_the_topic_gets_only_the_outcomes_that_are_chosen(new_app, environment, outcomes_settings):
    topic = {"enabled": True, "emails": ["soc@example.com"], "outcomes": ["failed", "refused"]}
    stack = OutcomesStack(new_app(), "Chosen", settings=outcomes_settings(topic=topic), env=environment)
    template = Template.from_stack(stack)
    rules = template.find_resources("AWS::Events::Rule")
    chosen = {name: rule["Properties"]["EventPattern"].get("detail") for name, rule in rules.items()}
    assert {name[: -len("12345678")]: detail for name, detail in chosen.items()} == {
        "ToTopic": {"outcome": ["failed", "refused"]},
        "ToAudit": None,
    }
    template.has_resource_properties("AWS::SNS::Subscription", {"Endpoint": "soc@example.com"})


def test_without_a_topic_and_a_record_there_is_only_the_bus(new_app, environment, outcomes_settings):
    topic, audit = {"enabled": False, "emails": [], "outcomes": []}, {"enabled": False, "retention_days": 1}
    settings = outcomes_settings(topic=topic, audit=audit)
    stack = OutcomesStack(new_app(), "Bus", settings=settings, env=environment)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::SNS::Topic", 0)
    template.resource_count_is("AWS::S3::Bucket", 0)
    template.resource_count_is("AWS::Events::EventBus", 1)


def test_only_the_stream_can_write_the_record_and_nobody_can_delete_it(templates):
    """Whatever their own policies allow: the statements deny, so that no other one can grant it."""
    template = templates["Outcomes"]
    (role,) = (name for name in template.find_resources("AWS::IAM::Role") if name.startswith("ArchiveRole"))
    (policy,) = (
        one["Properties"]["PolicyDocument"]["Statement"]
        for name, one in template.find_resources("AWS::S3::BucketPolicy").items()
        if name.startswith("AuditBucket")
    )
    statements = {one.get("Sid"): one for one in policy}
    writes, deletes = statements["OnlyFirehoseWrites"], statements["NobodyDeletes"]
    for one in (writes, deletes):
        assert (one["Effect"], one["Principal"]) == ("Deny", {"AWS": "*"})
    assert writes["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": [role, "Arn"]}}}
    assert "s3:PutObject" in writes["Action"]
    assert "Condition" not in deletes
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(deletes["Action"])
