"""A custom action is used from a terminal: what its targets receive, and what becomes of it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from securityhub.events import CustomActionEvent, InsightResultsEvent, parse_event
from securityhub_actions import CustomAction, CustomActionRule, PressBus, press_bus, targets
from securityhub_actions.cli import envelopes, pressing, watching
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.commands import press as press_command
from tests.cli.deployed import deploy, destroy, enable_security_hub, findings_of
from tests.cli.killed import KILLING
from tests.e2e.findings import import_findings

FUNCTION = """
import boto3
def handle(event, context):
    for finding in event["detail"].get("findings", []):
        if "broken" in finding["Title"]:
            raise ValueError("It is broken")
        boto3.client("securityhub").batch_update_findings(
            FindingIdentifiers=[{"Id": finding["Id"], "ProductArn": finding["ProductArn"]}],
            Workflow={"Status": "NOTIFIED"}, Note={"Text": "Told them", "UpdatedBy": "test"})
"""
NAMES = itertools.count(1)
RESPONDER, OTHER = "SecurityResponder", "SomebodyElse"
# What `press` calls, and --wait besides.
NEEDED = [
    "events:ListEventBuses",
    "events:ListRules",
    "events:ListTargetsByRule",
    "events:PutEvents",
    "lambda:GetFunction",  # for which the embedded AWS takes ListFunctionEventInvokeConfigs
    "lambda:GetFunctionConfiguration",
    "lambda:ListFunctionEventInvokeConfigs",
    "securityhub:DescribeActionTargets",
    "securityhub:GetFindings",
    "securityhub:GetInsightResults",
    "securityhub:GetInsights",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
]


@pytest.fixture(scope="module", autouse=True)
def _soon():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "INTERVAL_SECONDS", 0.2)
        yield


@pytest.fixture(scope="module")
def roles(embedded_aws):
    """The credentials of two roles that may do what the command does, as far as their own policies say."""
    iam, sts = embedded_aws.client("iam"), embedded_aws.client("sts")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": DEFAULT_ACCOUNT}}
    statement = {"Effect": "Allow", "Action": NEEDED, "Resource": "*"}
    credentials = {}
    for name in (RESPONDER, OTHER):
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="press", PolicyDocument=document(statement))
        credentials[name] = sts.assume_role(RoleArn=arn, RoleSessionName="analyst")["Credentials"]
    return credentials


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def as_role(of_account, roles, monkeypatch):
    """A function after which commands go to the embedded AWS as a role."""

    def become(name, patch=monkeypatch):
        for variable, member in (
            ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
            ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
            ("AWS_SESSION_TOKEN", "SessionToken"),
        ):
            patch.setenv(variable, roles[name][member])

    assert of_account
    return become


@pytest.fixture
def as_responder(as_role):
    """Commands go to the embedded AWS as the principal of the press bus."""
    as_role(RESPONDER)


@pytest.fixture(scope="module")
def stack(embedded_aws, tmp_path_factory):
    """A stack with an action that can be pressed from a terminal, and one that can't."""
    enable_security_hub(embedded_aws)
    hub, number = embedded_aws.client("securityhub"), next(NAMES)
    ids = [f"Terminal{number}", f"Console{number}"]
    for action_id in ids:
        hub.create_action_target(Name=action_id, Description="Tells them", Id=action_id)

    def declare(stack):
        function = lambda_.Function(
            stack,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handle",
            code=lambda_.Code.from_inline(FUNCTION),
        )
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["securityhub:BatchUpdateFindings"], resources=["*"])
        )
        chosen = [targets.LambdaFunction(function), targets.SqsQueue(sqs.Queue(stack, "Target"))]
        buses = [
            PressBus(stack, "PressBus", principal_arns=[f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/{RESPONDER}"]),
            None,
        ]
        for action_id, bus in zip(ids, buses, strict=True):
            action = CustomAction.from_action_id(stack, f"{action_id}Action", action_id)
            CustomActionRule(stack, action_id, action=action, targets=chosen, press_bus=bus)

    deployed = deploy(embedded_aws, declare, tmp_path_factory.mktemp("app"))
    deployed.action, deployed.console_action = ids
    yield deployed
    destroy(deployed)
    for action_id in ids:
        hub.delete_action_target(ActionTargetArn=arn_of(action_id))


@pytest.fixture(autouse=True)
def _empty_queues(stack):
    yield
    for url in (stack.queue("Target"), stack.dead_letter_queue):
        stack.aws.client("sqs").purge_queue(QueueUrl=url)


def arn_of(action_id):
    return f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/{action_id}"


def imported(stack, number=1, **changes):
    findings = findings_of("EC2.8", number, **changes)
    import_findings(stack.aws, findings)
    return findings


def received(stack, number):
    stack.wait_for(stack.queue("Target"), number)
    return [json.loads(body) for body in stack.taken_from(stack.queue("Target"))]


def without_identity(event):
    return {name: value for name, value in event.items() if name not in {"id", "time", "source"}}


@pytest.mark.usefixtures("as_responder")
def test_a_target_receives_what_the_console_sends_but_for_the_source(cli, stack):
    (finding,) = imported(stack)
    assert cli("press", stack.action, finding["Id"]).code == 0
    (from_terminal,) = received(stack, 1)
    import_findings(stack.aws, [finding])
    stack.aws.press(arn_of(stack.action), findings=[finding])
    (from_console,) = received(stack, 1)
    assert from_terminal["source"] == "securityhub-actions.press"
    volatile = {"Workflow", "Note", "UpdatedAt", "LastObservedAt", "ProcessedAt"}
    for event in (from_terminal, from_console):
        for one in event["detail"]["findings"]:
            for name in volatile:
                one.pop(name, None)
    assert without_identity(from_terminal) == without_identity(from_console)


@pytest.mark.usefixtures("as_responder")
def test_each_finding_becomes_an_event_of_its_own_that_the_functions_understand(cli, stack):
    findings = imported(stack, 3)
    assert cli("press", arn_of(stack.action), *(one["Id"] for one in findings)).code == 0
    events = [parse_event(event) for event in received(stack, 3)]
    assert {type(event) for event in events} == {CustomActionEvent}
    assert sorted(event.findings[0].id for event in events) == sorted(one["Id"] for one in findings)


@pytest.mark.usefixtures("as_responder")
def test_a_finding_can_be_named_as_in_the_resources_of_events(cli, stack):
    (finding,) = imported(stack)
    assert cli("press", stack.action, f"{finding['ProductArn']}/{finding['Id']}").code == 0
    (event,) = received(stack, 1)
    assert event["detail"]["findings"][0]["Id"] == finding["Id"]


@pytest.mark.usefixtures("as_responder")
def test_results_of_an_insight_are_sent_with_their_numbers(cli, stack):
    (finding,) = imported(stack)
    insight = stack.aws.client("securityhub").create_insight(
        Name="Mine",
        Filters={"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]},
        GroupByAttribute="ComplianceStatus",
    )["InsightArn"]
    assert cli("press", stack.action, "--insight", insight, "--result", "FAILED").code == 0
    (event,) = received(stack, 1)
    assert event["detail"]["insightResults"] == [{"FAILED": 1}]
    assert isinstance(parse_event(event), InsightResultsEvent)


@pytest.mark.usefixtures("as_responder")
def test_waiting_says_what_was_changed(cli, stack):
    (finding,) = imported(stack)
    ran = cli("press", stack.action, finding["Id"], "--wait", "--json")
    (pressed,) = ran.document
    assert (ran.code, pressed["changes"]["Workflow"]) == (0, {"Status": "NOTIFIED"})
    assert pressed["changes"]["Note"]["Text"] == "Told them"


@pytest.mark.usefixtures("as_responder")
def test_waiting_says_what_became_a_dead_letter_and_leaves_it_there(cli, stack):
    (finding,) = imported(stack, Title="A broken one")
    ran = cli("press", stack.action, finding["Id"], "--wait")
    assert (ran.code, "It is broken" in ran.out) == (3, True)
    assert stack.number_in(stack.dead_letter_queue, hidden=False) == 1


def test_a_dead_letter_of_a_press_is_replayed_with_the_same_event_id(cli, stack, as_role, of_account):
    (finding,) = imported(stack, Title="A broken one")
    with pytest.MonkeyPatch.context() as patch:
        as_role(RESPONDER, patch)
        ran = cli("press", stack.action, finding["Id"], "--wait", "--json")

    (pressed,) = ran.document
    assert of_account
    # A letter of an earlier test can come after its queue was emptied.
    replayed = cli("dead-letters", "replay", stack.name, "--json").document
    assert [one["outcome"] for one in replayed if one["event_id"] == pressed["event_id"]] == ["sent"]


@pytest.mark.usefixtures("as_responder")
def test_nothing_known_after_the_timeout_is_a_no(cli, stack, monkeypatch):
    (finding,) = imported(stack)
    monkeypatch.setattr(watching.Watch, "_look_at_findings", lambda *_: None)
    ran = cli("press", stack.action, finding["Id"], "--wait", "--timeout", "1s")
    assert (ran.code, "nothing known yet" in ran.out) == (1, True), ran


INTERRUPTED = f"""{KILLING}
from securityhub_actions.cli import watching
from securityhub_actions.cli.commands import press, run

watching.INTERVAL_SECONDS = 0.1
watching.Watch._look_at_findings = lambda *_: None
owner, name = {{"pressing": (press, "press"), "waiting": (watching.Watch, "_look_at_queues")}}[sys.argv[1]]
setattr(owner, name, interrupting(getattr(owner, name)))
sys.exit(run(["press", *sys.argv[2:], "--wait"]))
"""


@pytest.mark.parametrize(
    ("moment", "pressed", "said"),
    [
        ("pressing", 3, "Only what is listed was pressed. Specify the other findings to go on."),
        ("waiting", 5, "Everything listed was pressed, so don't press it again."),
    ],
)
@pytest.mark.usefixtures("as_responder")
def test_an_interrupted_press_says_what_was_pressed(stack, moment, pressed, said):
    findings = imported(stack, 5)
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", INTERRUPTED, moment, stack.action, *(one["Id"] for one in findings)],
        env={**os.environ, "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done
    assert done.stderr.splitlines()[-1] == f"error: interrupted. {said}"
    assert {one["Id"] in done.stdout for one in findings[:pressed]} == {True}
    assert not any(one["Id"] in done.stdout for one in findings[pressed:])
    assert len(received(stack, pressed)) == pressed


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.usefixtures("as_responder")
def test_what_it_says_fits_the_page(cli, stack, columns):
    (finding,) = imported(stack)
    ran = cli("press", stack.action, finding["Id"], columns=columns)
    assert max(map(len, ran.out.splitlines())) <= columns


@pytest.mark.usefixtures("as_responder")
def test_an_action_without_a_press_bus_is_refused_with_what_to_do(cli, stack):
    (finding,) = imported(stack)
    ran = cli("press", stack.console_action, finding["Id"])
    assert (ran.code, "press_bus=PressBus" in ran.err) == (2, True)
    assert stack.number_in(stack.queue("Target")) == 0


def test_whoever_is_not_named_in_the_bus_is_denied_whatever_their_own_policies_allow(cli, stack, as_role):
    (finding,) = imported(stack)
    as_role(OTHER)
    ran = cli("press", stack.action, finding["Id"])
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "AWS denied events:PutEvents" in ran.err
    assert stack.number_in(stack.queue("Target")) == 0


@pytest.mark.usefixtures("of_account")
def test_the_administrator_of_the_account_is_denied_as_well(cli, stack):
    (finding,) = imported(stack)
    assert "AWS denied events:PutEvents" in cli("press", stack.action, finding["Id"]).err
    assert stack.number_in(stack.queue("Target")) == 0


@pytest.mark.usefixtures("as_responder")
def test_a_principal_can_put_nothing_else_on_the_bus_than_presses(cli, stack, monkeypatch):
    (finding,) = imported(stack)
    rule = pressing.press_rule(Aws(), arn_of(stack.action))
    monkeypatch.setattr(pressing, "PRESS_SOURCE", "somebody.else")
    monkeypatch.setattr(press_command, "press_rule", lambda *_, **__: rule)
    ran = cli("press", stack.action, finding["Id"])
    assert (ran.code, "NotAuthorizedForSourceException" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("NoSuchAction", "x"), "Actions are:"),
        (("ACTION", "no-such-finding"), "There is no finding no-such-finding"),
        (("ACTION",), "Specify either IDs of findings"),
        (("ACTION", "x", "--insight", "y"), "Specify either IDs of findings"),
        (("ACTION", "--insight", "arn:aws:securityhub:::insight/none"), "There is no insight"),
        (("ACTION", "x", "--bus", "elsewhere"), "on the bus elsewhere"),
        (("ACTION", "x", "--timeout", "soon"), "not an age"),
    ],
)
@pytest.mark.usefixtures("as_responder")
def test_wrong_input_is_refused_in_one_line_and_nothing_is_pressed(cli, stack, arguments, said):
    ran = cli("press", *(stack.action if one == "ACTION" else one for one in arguments))
    assert (ran.code, said in ran.err, ran.err.count("\n")) == (2, True, 1), ran
    assert stack.number_in(stack.queue("Target")) == 0


def test_the_command_and_the_construct_agree_on_source_and_kinds_of_events():
    assert pressing.PRESS_SOURCE == press_bus.PRESS_SOURCE
    assert set(press_bus.DETAIL_TYPES) == {envelopes.CUSTOM_ACTION, envelopes.INSIGHT_RESULTS}
