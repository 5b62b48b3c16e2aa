"""Findings that were there before a rule was are sent to its targets, also if that's interrupted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from securityhub.events import ImportedFindingsEvent, ImportedFindingsV2Event, parse_event
from securityhub_actions import (
    FindingFilter,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    OcsfFindingFilter,
    targets,
)
from securityhub_actions.patterns import Wildcard
from tests.cli.deployed import deploy, destroy, enable_security_hub, findings_of
from tests.cli.killed import KILLING
from tests.e2e.findings import import_findings

MATCHING = 6


@pytest.fixture(scope="module")
def stack(embedded_aws, tmp_path_factory):
    """A stack with a rule that is newer than the findings that it matches."""
    enable_security_hub(embedded_aws)
    embedded_aws.client("securityhub").enable_security_hub_v2()
    findings = findings_of("RDS.3", MATCHING)
    others = findings_of("RDS.3", 2, Title="Another title") + findings_of("RDS.4", 2)
    suppressed = findings_of("RDS.3", 1, Workflow={"Status": "SUPPRESSED"})
    import_findings(embedded_aws, [*findings, *others, *suppressed])

    def declare(stack):
        whole, part = sqs.Queue(stack, "Target"), sqs.Queue(stack, "Titles")
        text = events.RuleTargetInput.from_text(events.EventField.from_path("$.detail.findings[0].Title"))
        ImportedFindingsRule(
            stack,
            "Backfilled",
            # GetFindings has no counterpart of the condition for the title.
            findings=FindingFilter(control_ids=["RDS.3"], title=Wildcard("Finding *")),
            targets=[targets.SqsQueue(whole), targets.SqsQueue(part, message=text)],
        )
        ImportedFindingsV2Rule(
            stack,
            "Ocsf",
            findings=OcsfFindingFilter(control_ids=["RDS.3"], title=Wildcard("Finding *")),
            targets=[targets.SqsQueue(whole)],
        )

    deployed = deploy(embedded_aws, declare, tmp_path_factory.mktemp("app"))
    deployed.findings = findings
    yield deployed
    destroy(deployed)
    embedded_aws.client("securityhub").disable_security_hub_v2()


@pytest.fixture(autouse=True)
def _empty_queues(stack):
    yield
    for name in ("Target", "Titles"):
        stack.aws.client("sqs").purge_queue(QueueUrl=stack.queue(name))


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state.jsonl"


def received(stack):
    return [json.loads(body) for body in stack.taken_from(stack.queue("Target"))]


@pytest.mark.usefixtures("of_account")
def test_each_target_receives_what_the_rule_matches_with_its_own_input(cli, stack, state):
    ran = cli("backfill", f"{stack.name}-Backfilled", "--yes", "--state", state)
    assert ran.code == 0, ran
    sent = [parse_event(event) for event in received(stack)]
    assert {type(event) for event in sent} == {ImportedFindingsEvent}
    assert sorted(event.findings[0].id for event in sent) == sorted(one["Id"] for one in stack.findings)
    titles = [body.strip('"') for body in stack.taken_from(stack.queue("Titles"))]
    assert sorted(titles) == [f"Finding {number}" for number in range(MATCHING)]


@pytest.mark.usefixtures("of_account")
def test_a_rule_for_ocsf_gets_the_findings_of_the_new_security_hub(cli, stack, state):
    ran = cli("backfill", f"{stack.name}-Ocsf", "--yes", "--state", state)
    assert ran.code == 0, ran
    events = received(stack)
    sent = [parse_event(event) for event in events]
    assert {type(event) for event in sent} == {ImportedFindingsV2Event}
    titles = sorted(event["detail"]["findings"][0]["finding_info"]["title"] for event in events)
    assert titles == [f"Finding {number}" for number in range(MATCHING)]
    again = cli("backfill", f"{stack.name}-Ocsf", "--yes", "--state", state, "--json").document
    assert (again["events"], received(stack)) == ([], [])


@pytest.mark.usefixtures("of_account")
def test_a_dry_run_sends_nothing_and_remembers_nothing(cli, stack, state):
    ran = cli("backfill", f"{stack.name}-Backfilled", "--dry-run", "--state", state)
    assert (ran.code, f"{MATCHING} findings would be sent" in ran.out) == (0, True)
    assert (received(stack), state.exists()) == ([], False)


@pytest.mark.usefixtures("of_account")
def test_what_was_sent_is_not_sent_again(cli, stack, state):
    numbers = []
    for limit in ("2", "3", "9", "9"):
        cli("backfill", f"{stack.name}-Backfilled", "--yes", "--state", state, "--limit", limit)
        numbers.append(len(received(stack)))
    assert numbers == [2, 3, 1, 0]


@pytest.fixture
def disabled_rules(stack):
    """The rules, which get no events of their own in this test."""
    client = stack.aws.client("events")
    found = [one for one in client.list_rules()["Rules"] if one["Name"].startswith(stack.name)]
    for one in found:
        client.disable_rule(Name=one["Name"])
    yield found
    for one in found:
        client.enable_rule(Name=one["Name"])


@pytest.mark.usefixtures("disabled_rules")
def test_a_finding_that_is_settled_before_the_answer_is_not_sent(cli, of_account, stack, state, meanwhile):
    hub = of_account.client("securityhub")
    one = {name: stack.findings[0][name] for name in ("Id", "ProductArn")}

    def set_status(status):
        hub.batch_update_findings(FindingIdentifiers=[one], Workflow={"Status": status})

    meanwhile(lambda: set_status("SUPPRESSED"))
    ran = cli("backfill", f"{stack.name}-Backfilled", "--target", "Target", "--state", state)
    set_status("NEW")
    assert (ran.code, f"1 of {MATCHING} findings have changed since the question" in ran.err) == (0, True)
    sent = {event["detail"]["findings"][0]["Id"] for event in received(stack)}
    assert sent == {other["Id"] for other in stack.findings[1:]}


@pytest.mark.usefixtures("of_account")
def test_nothing_is_sent_if_the_rule_changes_before_the_answer(cli, stack, state, meanwhile, disabled_rules):
    client = stack.aws.client("events")
    (rule,) = (one for one in disabled_rules if "Backfilled" in one["Name"])
    given = {"Name": rule["Name"], "EventPattern": rule["EventPattern"], "State": "DISABLED"}
    other = rule["EventPattern"].replace("RDS.3", "RDS.4")
    meanwhile(lambda: client.put_rule(**{**given, "EventPattern": other}))
    ran = cli("backfill", rule["Name"], "--state", state)
    client.put_rule(**given)
    assert (ran.code, "have changed since the question, so nothing was sent" in ran.err) == (2, True)
    assert (received(stack), state.exists()) == ([], False)


@pytest.mark.usefixtures("of_account")
def test_one_of_several_targets_can_be_chosen(cli, stack, state):
    arguments = ("--yes", "--state", state, "--target", "Titles")
    assert cli("backfill", f"{stack.name}-Backfilled", *arguments).code == 0
    assert received(stack) == []
    assert len(stack.taken_from(stack.queue("Titles"))) == MATCHING


KILLED = f"""{KILLING}
from securityhub_actions.cli import backfilling
from securityhub_actions.cli.commands import backfill, run

owner, name = {{"send": (backfill, "send"), "remember": (backfilling.Sent, "add")}}[sys.argv[1]]
setattr(owner, name, killing(getattr(owner, name)))
run(["backfill", sys.argv[2], "--target", "Target", "--yes", "--state", sys.argv[3]])
"""


@pytest.mark.parametrize(("moment", "twice"), [("send", 0), ("remember", 1)])
@pytest.mark.usefixtures("of_account")
def test_a_killed_backfill_goes_on_and_sends_at_most_one_twice_with_the_same_id(
    cli, stack, state, *, moment, twice
):
    name = f"{stack.name}-Backfilled"
    killed = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", KILLED, moment, name, str(state)], env=stack.aws.environment(), check=False
    )
    assert killed.returncode == -9
    # As if the machine had failed while the last entry was written.
    with state.open("a") as stream:
        stream.write('{"rule": "arn')
    assert cli("backfill", name, "--target", "Target", "--yes", "--state", state).code == 0
    ids = [event["id"] for event in received(stack)]
    assert (len(ids), len(set(ids))) == (MATCHING + twice, MATCHING)
    assert cli("backfill", name, "--target", "Target", "--yes", "--state", state).code == 0
    assert received(stack) == []


INTERRUPTED = f"""{KILLING}
from securityhub_actions.cli.commands import backfill, run

backfill.send = interrupting(backfill.send)
sys.exit(run(["backfill", sys.argv[1], "--target", "Target", "--yes", "--state", sys.argv[2]]))
"""


@pytest.mark.usefixtures("of_account")
def test_an_interrupted_backfill_says_how_to_go_on(cli, stack, state):
    name = f"{stack.name}-Backfilled"
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", INTERRUPTED, name, str(state)],
        env=stack.aws.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "3 sent" in done.stdout) == (130, True), done
    assert done.stderr.splitlines()[-1] == (
        f"error: interrupted. {state} has what was sent. Repeat the command to go on."
    )
    assert cli("backfill", name, "--target", "Target", "--yes", "--state", state).code == 0
    ids = [event["id"] for event in received(stack)]
    assert (len(ids), len(set(ids))) == (MATCHING, MATCHING)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.usefixtures("of_account")
def test_what_it_says_fits_the_page(cli, stack, state, columns):
    ran = cli("backfill", f"{stack.name}-Backfilled", "--dry-run", "--state", state, columns=columns)
    assert max(map(len, ran.out.splitlines())) <= columns


@pytest.mark.usefixtures("of_account")
def test_an_unknown_rule_is_refused_with_those_that_exist(cli, stack):
    ran = cli("backfill", "no-such-rule", "--dry-run")
    assert (ran.code, f"{stack.name}-Backfilled" in ran.err, ran.err.count("\n")) == (2, True, 1)


@pytest.mark.usefixtures("of_account")
def test_the_state_of_another_rule_is_refused(cli, stack, state):
    state.write_text('{"rule": "arn:of:another", "sent": "x"}\n')
    ran = cli("backfill", f"{stack.name}-Backfilled", "--yes", "--state", state)
    assert (ran.code, "--state" in ran.err) == (2, True)


@pytest.mark.usefixtures("of_account")
def test_nothing_is_sent_without_a_yes(cli, stack, state):
    ran = cli("backfill", f"{stack.name}-Backfilled", "--state", state)
    assert (ran.code, "--yes" in ran.err, received(stack)) == (2, True, [])
