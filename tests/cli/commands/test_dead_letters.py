"""Dead letters of a stack on the embedded AWS: listed, sent again, dropped, also if that's interrupted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from securityhub_actions import FindingFilter, ImportedFindingsRule, targets
from securityhub_actions.cli.dead_letters import reading
from securityhub_actions.cli.dead_letters.reading import Reader
from tests.cli.deployed import deploy, destroy, enable_security_hub, findings_of
from tests.cli.killed import KILLING
from tests.e2e.findings import import_findings

FUNCTION = """
import os, boto3
def handle(event, context):
    if os.environ.get("BROKEN"):
        raise ValueError("It is broken")
    boto3.client("sqs").send_message(QueueUrl=os.environ["DONE"], MessageBody=event["id"])
"""
CONTROLS = {"queue": "S3.1", "function": "S3.2", "consumer": "S3.3"}


def declare(stack):
    """Rules for a queue with an input of its own, for a function, and for a queue with a consumer."""
    done = sqs.Queue(stack, "Done")
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handle",
        code=lambda_.Code.from_inline(FUNCTION),
        environment={"DONE": done.queue_url, "BROKEN": "yes"},
    )
    done.grant_send_messages(function)
    wrong = sqs.Queue(stack, "GivenUp")
    consumed = sqs.Queue(
        stack, "Consumed", dead_letter_queue=sqs.DeadLetterQueue(queue=wrong, max_receive_count=1)
    )
    title = events.RuleTargetInput.from_text(
        events.EventField.from_path("$.detail.findings[0].Title") + " " + events.EventField.event_id
    )
    for name, target in {
        "queue": targets.SqsQueue(sqs.Queue(stack, "Target"), message=title),
        "function": targets.LambdaFunction(function),
        "consumer": targets.SqsQueue(consumed),
    }.items():
        ImportedFindingsRule(
            stack, f"For{name}", findings=FindingFilter(control_ids=[CONTROLS[name]]), targets=[target]
        )


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch):
    # The embedded AWS has one server.
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)


@pytest.fixture(scope="module")
def stack(embedded_aws, tmp_path_factory):
    enable_security_hub(embedded_aws)
    deployed = deploy(embedded_aws, declare, tmp_path_factory.mktemp("app"))
    yield deployed
    destroy(deployed)


@pytest.fixture
def letters(stack):
    """A function that lets so many findings become dead letters in a way, and returns the queue's URL."""
    made = []

    def make(way, number):
        before = stack.number_in(stack.dead_letter_queue)
        url = _BREAKING[way](stack)
        import_findings(stack.aws, findings_of(CONTROLS[way], number))
        if way == "consumer":
            url = stack.queue("GivenUp")
            _fail_to_consume(stack, number)
        else:
            stack.wait_for(url, before + number)
        made.append(url)
        return url

    yield make
    _mend_target(stack)
    for url in ("GivenUp", "Target", "Consumed", "Done", "SecurityHubDeadLetterQueue"):
        stack.aws.client("sqs").purge_queue(QueueUrl=stack.queue(url))


def _break_target(stack):
    """Take away the policy of the queue, so that EventBridge can't send to it."""
    url = stack.queue("Target")
    stack.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    return stack.dead_letter_queue


def _mend_target(stack):
    """Let the function work."""
    _set_function(stack, {"DONE": stack.queue("Done")})


def _set_function(stack, variables):
    name = next(iter(_functions(stack)))
    stack.aws.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": variables}
    )


def _functions(stack):
    found = stack.aws.client("cloudformation").describe_stack_resources(StackName=stack.name)
    return [
        one["PhysicalResourceId"]
        for one in found["StackResources"]
        if one["ResourceType"] == "AWS::Lambda::Function"
    ]


def _break_function(stack):
    _set_function(stack, {"DONE": stack.queue("Done"), "BROKEN": "yes"})
    return stack.dead_letter_queue


def _fail_to_consume(stack, number):
    """Receive each message once without deleting it; the next receive moves it on."""
    client, url = stack.aws.client("sqs"), stack.queue("Consumed")
    stack.wait_for(url, number)

    def all_moved():
        client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return stack.number_in(stack.queue("GivenUp")) >= number

    stack.aws.wait_until(all_moved, what="messages to be moved")


_BREAKING = {"queue": _break_target, "function": _break_function, "consumer": lambda _: None}


@pytest.mark.parametrize(
    ("way", "shape", "error"),
    [
        ("queue", "undelivered", "NO_PERMISSIONS"),
        ("function", "function-failed", "It is broken"),
        ("consumer", "not-consumed", "received too often"),
    ],
)
@pytest.mark.usefixtures("of_account")
def test_list_says_what_it_was_and_why_it_failed(cli, stack, letters, *, way, shape, error):
    letters(way, 1)
    ran = cli("dead-letters", "list", stack.name, "--json")
    (letter,) = ran.document
    assert letter["shape"] == shape
    assert error in f"{letter['error']} {letter['explanation']}"
    assert letter["what"] == "Security Hub Findings - Imported: Finding 0"
    assert (f"For{way}" in letter["rule"]) if way == "queue" else letter["target"]
    assert ran.code == 1


@pytest.mark.usefixtures("of_account")
def test_listing_leaves_every_message_visible(cli, stack, letters):
    url = letters("queue", 12)
    assert len(cli("dead-letters", "list", stack.name, "--json").document) == 12
    assert stack.number_in(url, hidden=False) == 12


@pytest.mark.usefixtures("of_account")
def test_a_stack_without_dead_letters_is_a_yes(cli, stack):
    ran = cli("dead-letters", "list", stack.name)
    assert ran.code == 0
    assert "0 dead letters" in ran.out


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.usefixtures("of_account")
def test_the_list_fits_the_page(cli, stack, letters, columns):
    letters("queue", 2)
    ran = cli("dead-letters", "list", stack.name, columns=columns)
    assert "EventBridge could not deliver the event" in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= columns


@pytest.mark.usefixtures("of_account")
def test_a_replayed_event_reaches_the_target_with_its_own_input_and_event_id(cli, stack, letters):
    url = letters("queue", 3)
    before = cli("dead-letters", "list", stack.name, "--json").document
    ran = cli("dead-letters", "replay", stack.name)
    assert ran.code == 0, ran
    assert "3 sent" in ran.out
    assert stack.number_in(url) == 0
    expected = {f"{one['what'].rpartition(': ')[2]} {one['event_id']}" for one in before}
    assert {body.strip('"') for body in stack.taken_from(stack.queue("Target"))} == expected


@pytest.mark.usefixtures("of_account")
def test_a_replayed_event_is_handled_by_the_function_that_failed(cli, stack, letters):
    url = letters("function", 2)
    (first, second) = cli("dead-letters", "list", stack.name, "--json").document
    _mend_target(stack)
    assert cli("dead-letters", "replay", stack.name).code == 0
    done = stack.queue("Done")
    stack.wait_for(done, 2)
    assert set(stack.taken_from(done)) == {first["event_id"], second["event_id"]}
    assert stack.number_in(url) == 0


@pytest.mark.usefixtures("of_account")
def test_a_replayed_event_that_fails_again_is_not_sent_again_and_again(cli, stack, letters):
    url = letters("function", 1)
    (sent,) = cli("dead-letters", "replay", stack.name, "--json").document
    stack.wait_for(url, 1)
    assert sent["outcome"] == "sent"


@pytest.mark.usefixtures("of_account")
def test_a_replayed_message_returns_to_the_queue_that_it_came_from(cli, stack, letters):
    url = letters("consumer", 2)
    assert cli("dead-letters", "replay", stack.name).code == 0
    assert stack.number_in(url) == 0
    titles = [
        json.loads(body)["detail"]["findings"][0]["Title"]
        for body in stack.taken_from(stack.queue("Consumed"))
    ]
    assert sorted(titles) == ["Finding 0", "Finding 1"]


@pytest.mark.parametrize("action", ["replay", "drop"])
@pytest.mark.usefixtures("of_account")
def test_a_dry_run_changes_nothing(cli, stack, letters, action):
    url = letters("queue", 2)
    ran = cli("dead-letters", action, stack.name, "--dry-run")
    assert ran.code == 0
    assert "2 would be" in ran.out
    assert stack.number_in(url, hidden=False) == 2
    assert stack.number_in(stack.queue("Target")) == 0


@pytest.mark.parametrize(
    ("chosen", "number"),
    [
        (("--rule", "Forqueue"), 2),
        (("--rule", "ForNothing"), 0),
        (("--error", "no_permissions"), 2),
        (("--error", "is broken"), 1),
        (("--older-than", "1h"), 0),
        (("--newer-than", "1h"), 3),
        (("--limit", "1"), 1),
    ],
)
@pytest.mark.usefixtures("of_account")
def test_letters_are_chosen_by_rule_error_and_age(cli, stack, letters, chosen, number):
    letters("queue", 2)
    letters("function", 1)
    ran = cli("dead-letters", "list", stack.name, "--json", *chosen)
    assert len(ran.document) == number


@pytest.mark.usefixtures("of_account")
def test_drop_deletes_what_is_chosen_and_nothing_else(cli, stack, letters):
    url = letters("queue", 2)
    (first, _) = cli("dead-letters", "list", stack.name, "--json").document
    ran = cli("dead-letters", "drop", stack.name, "--id", first["id"], "--yes")
    assert "1 dropped" in ran.out
    assert stack.number_in(url) == 1


@pytest.mark.usefixtures("of_account")
def test_drop_deletes_what_it_asked_about_and_nothing_that_comes_before_the_answer(
    cli, stack, letters, meanwhile
):
    url = letters("queue", 2)
    asked = meanwhile(lambda: letters("queue", 1))
    ran = cli("dead-letters", "drop", stack.name)
    assert (ran.code, ran.out.splitlines()[0], stack.number_in(url)) == (0, "2 dropped", 1)
    assert len(asked) == 1
    assert asked[0].startswith("Delete 2 dead letters of ")


@pytest.mark.usefixtures("of_account")
def test_drop_does_not_ask_about_nothing(cli, stack, meanwhile):
    asked = meanwhile(lambda: None)
    ran = cli("dead-letters", "drop", stack.name)
    assert (ran.code, ran.out, asked) == (0, "There are no such dead letters.\n", [])


@pytest.mark.usefixtures("of_account")
def test_drop_deletes_nothing_without_a_yes(cli, stack, letters):
    url = letters("queue", 1)
    ran = cli("dead-letters", "drop", stack.name)
    assert (ran.code, "--yes" in ran.err) == (2, True)
    assert stack.number_in(url) == 1


@pytest.mark.usefixtures("of_account")
def test_show_has_the_whole_event(cli, stack, letters):
    letters("queue", 1)
    (letter,) = cli("dead-letters", "show", stack.name, "--json").document
    assert letter["event"]["detail"]["findings"][0]["Title"] == "Finding 0"


@pytest.mark.usefixtures("of_account")
def test_what_the_rule_no_longer_has_stays_with_the_reason(cli, stack, letters):
    url = letters("queue", 1)
    (letter,) = cli("dead-letters", "list", stack.name, "--json").document
    client, name = stack.aws.client("events"), letter["rule"].rpartition("/")[2]
    (target,) = client.list_targets_by_rule(Rule=name)["Targets"]
    client.remove_targets(Rule=name, Ids=[target["Id"]])
    try:
        ran = cli("dead-letters", "replay", stack.name)
    finally:
        client.put_targets(Rule=name, Targets=[target])
    assert ran.code == 3
    assert "doesn't have the target any longer" in ran.out
    assert stack.number_in(url, hidden=False) == 1


KILLED = f"""{KILLING}
from securityhub_actions.cli.commands import run
from securityhub_actions.cli.dead_letters import reading, replaying

reading.HIDDEN_SECONDS = 3
owner, name = {{"send": (replaying, "send"), "delete": (reading.Reader, "delete")}}[sys.argv[1]]
setattr(owner, name, killing(getattr(owner, name)))
run(["dead-letters", "replay", sys.argv[2]])
"""


@pytest.mark.long
@pytest.mark.parametrize(("moment", "twice"), [("send", 0), ("delete", 1)])
@pytest.mark.usefixtures("of_account")
def test_a_killed_replay_loses_nothing_and_sends_at_most_one_twice(cli, stack, letters, moment, twice):
    url = letters("queue", 8)
    killed = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", KILLED, moment, stack.name], env=stack.aws.environment(), check=False
    )
    assert killed.returncode == -9
    assert stack.number_in(stack.queue("Target")) + stack.number_in(url) == 8 + twice
    stack.aws.wait_until(
        lambda: stack.number_in(url) == stack.number_in(url, hidden=False), what="hidden messages"
    )
    assert cli("dead-letters", "replay", stack.name).code == 0
    assert stack.number_in(url) == 0
    received = stack.taken_from(stack.queue("Target"))
    assert (len(received), len(set(received))) == (8 + twice, 8)


INTERRUPTED = f"""{KILLING}
from securityhub_actions.cli.commands import run
from securityhub_actions.cli.dead_letters import replaying

replaying.send = interrupting(replaying.send)
sys.exit(run(["dead-letters", "replay", sys.argv[1]]))
"""


@pytest.mark.usefixtures("of_account")
def test_an_interrupted_replay_gives_back_the_rest_at_once_and_says_how_to_go_on(cli, stack, letters):
    url = letters("queue", 8)
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", INTERRUPTED, stack.name],
        env=stack.aws.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "3 sent" in done.stdout) == (130, True), done
    assert done.stderr.splitlines()[-1] == (
        "error: interrupted. What isn't listed stays in the queues. Repeat the command to go on."
    )
    assert stack.number_in(url, hidden=False) == 5
    assert cli("dead-letters", "replay", stack.name).code == 0
    received = stack.taken_from(stack.queue("Target"))
    assert (len(received), len(set(received))) == (8, 8)


@pytest.mark.usefixtures("of_account")
def test_ctrl_c_says_what_was_done_and_gives_the_rest_back_at_once(cli, stack, letters, monkeypatch):
    url = letters("queue", 5)
    inner, calls = Reader.delete, []

    def interrupted(self, letter):
        calls.append(letter)
        if len(calls) == 3:
            raise KeyboardInterrupt
        inner(self, letter)

    monkeypatch.setattr(Reader, "delete", interrupted)
    ran = cli("dead-letters", "replay", stack.name)
    assert (ran.code, "2 sent" in ran.out) == (130, True)
    assert stack.number_in(url, hidden=False) == 3


@pytest.mark.usefixtures("of_account")
def test_an_unknown_stack_is_refused_with_those_that_exist(cli, stack):
    ran = cli("dead-letters", "list", "None-such")
    assert ran.code == 2
    assert stack.name in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.usefixtures("of_account")
def test_a_wrong_age_is_refused_with_one_that_is_right(cli, stack):
    ran = cli("dead-letters", "list", stack.name, "--older-than", "soon")
    assert (ran.code, "90m" in ran.err) == (2, True)
