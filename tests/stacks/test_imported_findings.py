"""The stacks with each value that `[hubs]` can have for them."""

from __future__ import annotations

import json

import pytest
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions.patterns import EventPattern
from stacks.finding_turns import FindingTurnsStack
from stacks.findings_routing import FindingsRoutingStack
from stacks.remediation import RemediationStack
from stacks.settings.routing import RoutingSettings
from stacks.ticketing import TicketingStack
from tests.both_formats import asff_finding, imported, ocsf_finding
from tests.shipped_settings import load_shipped_settings

READS_AND_WRITES = ["securityhub:BatchUpdateFindings", "securityhub:GetFindings"]
HUBS = ("cspm", "v2", "both")
SLACK = {"enabled": True, "channel": "C024BE91L", "secret_name": "securityhub-actions/slack"}


@pytest.fixture(scope="module")
def new_stacks(new_app, environment, remediation_settings, ticketing_settings):
    """A function that makes the stacks that listen to a hub, by name."""

    def make(hub, app=None, environment=environment, *, only=None):
        app = app or new_app()
        more = {"hub": hub, "env": environment}
        routing = load_shipped_settings().routing.model_dump()
        routing["critical"]["slack"] = SLACK
        for part in ("critical", "high", "archive"):
            routing[part]["filter"] = {"severity": "HIGH"}
        remediation = remediation_settings(
            automatic={"enabled": True, "mode": "apply"}, remediations=["s3_public_access"]
        )
        turns = FindingTurnsStack(app, "Turns", env=environment).table
        stacks = {
            "routing": lambda: FindingsRoutingStack(
                app, "Routing", settings=RoutingSettings.model_validate(routing), **more
            ),
            "remediation": lambda: RemediationStack(
                app, "Remediation", settings=remediation, turns=turns, **more
            ),
            "ticketing": lambda: TicketingStack(
                app, "Ticketing", settings=ticketing_settings(), turns=turns, **more
            ),
        }
        return {name: new_stack() for name, new_stack in stacks.items() if only in (None, name)}

    return make


@pytest.fixture(scope="module")
def templates(new_stacks):
    """The templates by hub and stack."""
    return {
        hub: {name: Template.from_stack(stack) for name, stack in new_stacks(hub).items()} for hub in HUBS
    }


def rules(template):
    """The rules for imported findings, by logical ID."""
    return {
        name: rule["Properties"]
        for name, rule in template.find_resources("AWS::Events::Rule").items()
        if "resources" not in rule["Properties"].get("EventPattern", {"resources": []})
    }


def matching(template, finding):
    """The rules that match a finding."""
    event = imported(finding)
    return {
        name: rule
        for name, rule in rules(template).items()
        if EventPattern.parse(rule["EventPattern"]).matches(event)
    }


def statements(template):
    for policy in template.find_resources("AWS::IAM::Policy").values():
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def variables(template, handler):
    (function,) = (
        one["Properties"]
        for one in template.find_resources("AWS::Lambda::Function").values()
        if one["Properties"]["Handler"] == handler
    )
    return function["Environment"]["Variables"]


@pytest.mark.parametrize("stack", ["routing", "remediation", "ticketing"])
@pytest.mark.parametrize(
    ("hub", "in_cspm", "in_v2"), [("cspm", True, False), ("v2", False, True), ("both", True, True)]
)
def test_a_stack_gets_the_findings_of_the_hub_that_it_listens_to(templates, stack, hub, in_cspm, in_v2):
    template = templates[hub][stack]
    assert bool(matching(template, asff_finding(1))) == in_cspm
    assert bool(matching(template, ocsf_finding(1))) == in_v2


@pytest.mark.parametrize("hub", ["v2", "both"])
@pytest.mark.parametrize(
    "settled",
    [
        {"status": "Resolved"},
        {"status": "Suppressed"},
        {"status": "Archived"},
        {"status": "New", "activity_name": "Close"},
        {"status": "Resolved", "activity_name": "Close"},
    ],
)
def test_ticketing_gets_every_finding_of_the_new_hub_that_is_settled_once(templates, hub, settled):
    (name,) = matching(templates[hub]["ticketing"], ocsf_finding(1, **settled))
    assert name.startswith(("SettledFindingsV2", "ClosedFindingsV2"))


@pytest.mark.parametrize("status", ["New", "In Progress"])
def test_what_is_open_reaches_ticketing_only_if_it_is_to_get_a_ticket(templates, status):
    names = matching(templates["v2"]["ticketing"], ocsf_finding(1, status=status))
    assert [name[:13] for name in names] == (["NewFindingsV2"] if status == "New" else [])


@pytest.mark.parametrize("hub", HUBS)
def test_new_findings_of_either_hub_wait_in_the_queue_that_the_function_knows(templates, hub):
    template = templates[hub]["ticketing"]
    queue = variables(template, "functions.tickets.handler.handle")["NEW_FINDINGS_QUEUE"]
    for finding in (asff_finding(1), ocsf_finding(1)):
        for rule in matching(template, finding).values():
            assert [target["Arn"] for target in rule["Targets"]] == [queue]


@pytest.mark.parametrize(("hub", "value"), [("cspm", None), ("v2", None), ("both", "comment")])
@pytest.mark.parametrize(
    ("stack", "handler"),
    [
        ("remediation", "functions.remediate.handler.handle"),
        ("ticketing", "functions.tickets.handler.handle"),
    ],
)
def test_where_both_hubs_are_on_the_findings_of_the_new_one_are_only_commented(
    templates, hub, value, stack, handler
):
    found = variables(templates[hub][stack], handler)
    assert found.get("FINDINGS_V2") == value
    assert "FINDING_TURNS_TABLE" in found


@pytest.mark.parametrize("hub", HUBS)
@pytest.mark.parametrize(
    ("stack", "actions"),
    [
        ("remediation", {"v2": READS_AND_WRITES, "both": "securityhub:BatchUpdateFindings"}),
        ("ticketing", {"v2": READS_AND_WRITES, "both": READS_AND_WRITES}),
    ],
)
def test_a_function_may_write_to_the_new_hub_of_its_account_and_region_where_it_listens_to_it(
    templates, hub, stack, actions
):
    found = [one for one in statements(templates[hub][stack]) if ":hubv2/*" in json.dumps(one["Resource"])]
    if hub == "cspm":
        assert found == []
        return
    (one,) = found
    assert one["Action"] == actions[hub]
    assert "111122223333" in json.dumps(one["Resource"])
    assert "us-east-1" in json.dumps(one["Resource"])


def test_the_archive_is_partitioned_by_the_account_in_either_format(templates):
    def query(hub):
        found = templates[hub]["routing"].find_resources("AWS::KinesisFirehose::DeliveryStream")
        (stream,) = (one["Properties"]["ExtendedS3DestinationConfiguration"] for one in found.values())
        parameters = {
            one["ParameterName"]: one["ParameterValue"]
            for processor in stream["ProcessingConfiguration"]["Processors"]
            for one in processor["Parameters"]
        }
        return parameters["MetadataExtractionQuery"].replace('"', "")

    date = "date:.time[0:10]"
    assert query("cspm") == f"{{{date},account:.detail.findings[0].AwsAccountId}}"
    assert query("v2") == f"{{{date},account:.detail.findings[0].cloud.account.uid}}"
    assert query("both") == f"{{{date},account:(.detail.findings[0] | .AwsAccountId // .cloud.account.uid)}}"


@pytest.mark.parametrize(
    ("name", "region"), [("Critical", "findings[0].Region"), ("CriticalV2", "cloud.region")]
)
def test_people_are_told_the_same_about_a_finding_in_either_format(templates, name, region):
    (rule,) = (
        one
        for key, one in rules(templates["both"]["routing"]).items()
        if key.startswith(f"{name}Rule") and "EventBusName" not in one
    )
    topic, chat = rule["Targets"]
    text = json.dumps(topic["InputTransformer"])
    assert region in text
    assert all(word in text for word in ("severity", "title", "account", "resource", "description"))
    # Its summary is the same for both.
    assert "EachFinding" in json.dumps(chat["Arn"])


@pytest.mark.parametrize("stack", ["routing", "remediation", "ticketing"])
def test_the_checks_of_every_synthesis_find_only_that_people_are_told_twice(
    new_checked_app, new_stacks, stack
):
    app = new_checked_app()
    new_stacks("both", app, None, only=stack)
    told = [message.entry.data for one in app.synth().stacks for message in one.messages]
    assert all("have a target in common, one for findings of Security Hub CSPM" in one for one in told)
    twice = {"Routing/Critical", "Routing/High"} if stack == "routing" else set()
    assert {one.split()[2] for one in told} == twice


@pytest.mark.parametrize("stack", ["remediation", "ticketing"])
def test_they_find_nothing_for_the_new_hub_of_a_known_region(new_checked_app, new_stacks, environment, stack):
    app = new_checked_app()
    new_stacks("v2", app, environment, only=stack)
    assert [message.entry.data for one in app.synth().stacks for message in one.messages] == []


@pytest.mark.parametrize("hub", HUBS)
def test_that_a_finding_is_for_several_parts_of_the_app_is_no_warning(new_stacks, hub):
    for stack in new_stacks(hub).values():
        warnings = Annotations.from_stack(stack).find_warning("*", Match.any_value())
        assert not [one for one in warnings if "matches both" in str(one.entry.data)]
