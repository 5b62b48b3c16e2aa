"""Commands that act on an account refuse bad input in one line, and end cleanly when nobody reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from securityhub_actions import (
    CustomAction,
    CustomActionRule,
    FindingFilter,
    ImportedFindingsRule,
    PressBus,
    targets,
)
from tests.cli.deployed import deploy, destroy, enable_security_hub, findings_of
from tests.e2e.findings import import_findings

ACTION, CONTROL, RESPONDER = "ReadByNobody", "KMS.3", "ReadByNobodyResponder"
ACTION_ARN = f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/{ACTION}"


def declare(stack):
    """An action that can be pressed from a terminal, and a rule whose queue lets nobody send to it."""
    bus = PressBus(stack, "PressBus", principal_arns=[f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/{RESPONDER}"])
    action = CustomAction.from_action_id(stack, "Action", ACTION)
    CustomActionRule(
        stack, "Press", action=action, targets=[targets.SqsQueue(sqs.Queue(stack, "Pressed"))], press_bus=bus
    )
    closed = sqs.Queue(stack, "Closed")
    closed.add_to_resource_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[closed.queue_arn],
        )
    )
    rule = FindingFilter(control_ids=[CONTROL])
    ImportedFindingsRule(stack, "Imported", findings=rule, targets=[targets.SqsQueue(closed)])


@pytest.fixture(scope="module")
def stack(embedded_aws, tmp_path_factory):
    """The stack, with three findings, each of which is a dead letter."""
    enable_security_hub(embedded_aws)
    hub, client = embedded_aws.client("securityhub"), embedded_aws.client("iam")
    hub.create_action_target(Name=ACTION, Description="Tells nobody", Id=ACTION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": DEFAULT_ACCOUNT}}
    allowed = {"Effect": "Allow", "Action": ["events:*", "securityhub:*"], "Resource": "*"}
    role = client.create_role(RoleName=RESPONDER, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    client.put_role_policy(RoleName=RESPONDER, PolicyName="press", PolicyDocument=document(allowed))
    deployed = deploy(embedded_aws, declare, tmp_path_factory.mktemp("app"))
    deployed.findings = findings_of(CONTROL, 3)
    import_findings(embedded_aws, deployed.findings)
    deployed.wait_for(deployed.dead_letter_queue, 3)
    assumed = embedded_aws.client("sts").assume_role(RoleArn=role, RoleSessionName="analyst")["Credentials"]
    deployed.responder = {
        "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["SessionToken"],
    }
    yield deployed
    destroy(deployed)
    hub.delete_action_target(ActionTargetArn=ACTION_ARN)
    client.delete_role_policy(RoleName=RESPONDER, PolicyName="press")
    client.delete_role(RoleName=RESPONDER)


def document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def filled(arguments, stack):
    """The arguments with the names of what is deployed."""
    names = {
        "STACK": stack.name,
        "RULE": f"{stack.name}-Imported",
        "FINDING": stack.findings[0]["Id"],
    }
    return [names.get(one, one) for one in arguments]


def unread(stack, arguments, folder, **environment):
    """Run a command whose output nobody reads; return the exit code and the standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(  # noqa: S603 - the project's own command
        [sys.executable, "-m", "securityhub_actions.cli", *filled(arguments, stack)],
        cwd=folder,
        env={**stack.aws.environment(), **environment},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    return done.returncode, done.stderr


def also_long(*commands):
    """Commands that `make test` leaves out: each is a process, and they say little more than the others."""
    return [pytest.param(command, marks=pytest.mark.long) for command in commands]


@pytest.mark.parametrize(
    "arguments",
    [
        ("findings", "--control", CONTROL),
        ("dead-letters", "replay", "STACK", "--dry-run"),
        ("doctor", "STACK", "--json"),
        ("backfill", "RULE", "--dry-run"),
        *also_long(
            ("findings", "--control", CONTROL, "--ids"),
            ("findings", "--control", CONTROL, "--json"),
            ("dead-letters", "list", "STACK"),
            ("dead-letters", "show", "STACK"),
            ("dead-letters", "show", "STACK", "--json"),
            ("doctor", "STACK"),
            ("actions", "--live"),
            ("rules", "--stack", "STACK"),
        ),
    ],
    ids=" ".join,
)
def test_it_ends_quietly_if_nobody_reads_what_an_account_has(stack, tmp_path, arguments):
    before = stack.number_in(stack.dead_letter_queue)
    assert unread(stack, arguments, tmp_path) == (141, "")
    assert stack.number_in(stack.dead_letter_queue, hidden=False) == before


def test_a_press_that_nobody_reads_about_is_done_once(stack, tmp_path):
    assert unread(stack, ("press", ACTION, "FINDING"), tmp_path, **stack.responder) == (141, "")
    pressed = stack.queue("Pressed")
    stack.wait_for(pressed, 1)
    (body,) = stack.taken_from(pressed)
    assert json.loads(body)["detail"]["findings"][0]["Id"] == stack.findings[0]["Id"]


def test_a_backfill_that_nobody_reads_about_remembers_what_it_sent(stack, tmp_path):
    arguments = ("backfill", "RULE", "--yes", "--state", str(tmp_path / "state"))
    assert unread(stack, arguments, tmp_path) == (141, "")
    assert (
        len(stack.taken_from(stack.queue("Closed")))
        == len((tmp_path / "state").read_text().splitlines())
        == 3
    )


def test_a_replay_that_nobody_reads_about_loses_nothing(stack, tmp_path):
    before = stack.number_in(stack.dead_letter_queue)
    arguments = ("dead-letters", "replay", "STACK", "--limit", "1")
    assert unread(stack, arguments, tmp_path) == (141, "")
    sent = stack.taken_from(stack.queue("Closed"))
    assert (len(sent), stack.number_in(stack.dead_letter_queue, hidden=False)) == (1, before - 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("findings", "--severity", "SEVERE"), "SEVERE"),
        (("findings", "--limit", "0"), "0"),
        (("dead-letters", "list", "None-such"), "None-such"),
        (("dead-letters", "replay", "None-such", "--dry-run"), "None-such"),
        (("dead-letters", "drop", "STACK"), "--yes"),
        (("doctor", "None-such"), "None-such"),
        (("backfill", "None-such"), "None-such"),
        (("backfill", "RULE"), "--yes"),
        (("backfill", "RULE", "--target", "none-such"), "no such target"),
        (("press", "None-such", "FINDING"), "None-such"),
        (("press", ACTION, "none-such"), "none-such"),
        (("press", ACTION), "--insight"),
        (("rules", "--stack", "None-such"), "None-such"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
@pytest.mark.usefixtures("of_account")
def test_bad_input_is_refused_in_one_line(cli, stack, arguments, said):
    ran = cli(*filled(arguments, stack))
    assert (ran.code, ran.out, ran.err.count("\n"), ran.err.startswith("error: ")) == (2, "", 1, True), ran
    assert said in ran.err


@pytest.mark.usefixtures("of_account")
def test_dead_letters_that_do_not_exist_are_a_no_in_one_line(cli, stack):
    ran = cli("dead-letters", "show", stack.name, "--id", "none-such")
    assert (ran.code, ran.out, ran.err) == (1, "There are no such dead letters.\n", "")
