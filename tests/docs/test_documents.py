"""What the documents say about the code is true, and every example and link works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import aws_cdk
import pytest
from aws_cdk import App, Environment, SecretValue, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk.assertions import Template

import securityhub_actions
from securityhub_actions import CustomAction, CustomActionRule, targets
from securityhub_actions.action_target_providers import NATIVE_REGIONS
from securityhub_actions.delivery import Target
from securityhub_actions.security_hub_rule import SecurityHubRule
from stacks.remediation_catalog import read_catalog

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [*ROOT.glob("examples/*.md"), *ROOT.glob("examples/*/*.md")]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *EXAMPLES])
README = ROOT / "README.md"
EMULATOR = ROOT / "docs" / "emulator.md"
ANALYST_ACTIONS = ROOT / "stacks" / "analyst_actions.py"
FOLDERS = ("benchmarks", "constructs", "docs", "emulator", "examples", "lambda", "stacks", "tests", "tools")
CODE_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(document):
    return str(document.relative_to(ROOT))


def prose(document):
    return CODE_BLOCK.sub("", document.read_text())


def blocks(document, language):
    return [body for kind, body in CODE_BLOCK.findall(document.read_text()) if kind == language]


def local_links(document):
    return [link for link in LINK.findall(prose(document)) if not re.match(r"[a-z]+:", link)]


def anchors(document):
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(document, first_heading):
    """The rows of the table whose first column has the heading, as lists of cells."""
    (found,) = re.findall(
        rf"^\| {re.escape(first_heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", document.read_text(), re.MULTILINE
    )
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in found.splitlines()]


def code_in(cell):
    return re.findall(r"`([^`]+)`", cell)


every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


@every_document
def test_every_link_leads_to_a_file_and_a_heading_in_it(document):
    for link in local_links(document):
        path, _, anchor = link.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), link
        assert not anchor or anchor in anchors(linked), link


@every_document
def test_every_path_in_code_marks_exists(document):
    named = [
        token for token in code_in(prose(document)) if token.partition("/")[0] in FOLDERS and "/" in token
    ]
    assert [path for path in named if not ("NAME" in path or (ROOT / path).exists())] == []


@every_document
def test_every_make_command_is_in_the_makefile(document):
    commands = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [*code_in(prose(document)), *blocks(document, "sh")]
    named = {name for text in code for name in re.findall(r"\bmake (?:PYTHON=\S+ )?([a-z-]+)", text)}
    assert named <= commands


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [README]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        linked = {(document.parent / link.partition("#")[0]).resolve() for link in local_links(document)}
        waiting += [path for path in linked - reached if path.suffix == ".md"]
    assert set(DOCUMENTS) <= reached


def test_every_decision_has_context_decision_and_consequences():
    for number, record in enumerate(sorted((ROOT / "docs" / "adr").glob("*.md")), start=1):
        assert record.name.startswith(f"{number:04}-")
        headings = re.findall(r"^#+ (.+)$", record.read_text(), re.MULTILINE)
        assert headings[0].startswith(f"{number}. ")
        assert headings[1:] == ["Context", "Decision", "Consequences"]


def test_the_emulator_documents_example_shows_the_events_of_findings_and_press(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (example,) = blocks(EMULATOR, "python")
    exec(compile(example, EMULATOR, "exec"), {})  # noqa: S102 - the project's own document
    imported, pressed = "Security Hub Findings - Imported", "Security Hub Findings - Custom Action"
    assert capsys.readouterr().out.splitlines() == [imported] * 3 + [pressed]


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_every_python_example_of_the_readme_synthesizes_a_rule(number, tmp_path, monkeypatch, feature_flags):
    app = App(context=feature_flags, analytics_reporting=False, outdir=str(tmp_path))
    monkeypatch.setattr(aws_cdk, "App", lambda: app)
    exec(compile(blocks(README, "python")[number], README, "exec"), {})  # noqa: S102 - the project's own README
    (template,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.template.json"))
    assert "AWS::Events::Rule" in {resource["Type"] for resource in template["Resources"].values()}


def test_the_readmes_diff_applies_and_adds_one_action_with_its_rule(feature_flags):
    (diff,) = blocks(README, "diff")
    before = "".join(line[1:] for line in diff.splitlines(keepends=True) if not line.startswith("+"))
    after = "".join(line[1:] for line in diff.splitlines(keepends=True))
    source = ANALYST_ACTIONS.read_text()
    assert source.count(before) == 1

    def resources(source):
        module = {"__file__": str(ANALYST_ACTIONS), "__name__": "patched"}
        exec(compile(source, ANALYST_ACTIONS, "exec"), module)  # noqa: S102 - the project's own stack
        app = App(context=feature_flags, analytics_reporting=False)
        stack = module["AnalystActionsStack"](app, "Stack", env=Environment(region="eu-west-1"))
        return Template.from_stack(stack)

    for resource_type in ("Custom::SecurityHubActionTarget", "AWS::Events::Rule", "AWS::Lambda::Function"):
        count = len(resources(source).find_resources(resource_type))
        resources(source.replace(before, after)).resource_count_is(resource_type, count + 1)


@pytest.fixture
def stack(feature_flags):
    app = App(context=feature_flags, analytics_reporting=False)
    return Stack(app, "Stack", env=Environment(account="111122223333", region="eu-west-1"))


RULES = {
    name: construct
    for name in securityhub_actions.__all__
    if isinstance(construct := getattr(securityhub_actions, name), type)
    and issubclass(construct, SecurityHubRule)
    and construct is not SecurityHubRule
}
EVENT_ROWS = {code_in(row[0])[0]: row for row in table(README, "Construct")}
TARGETS = {
    name: target
    for name in targets.__all__
    if isinstance(target := getattr(targets, name), type) and issubclass(target, Target)
}
TARGET_ROWS = {code_in(row[0])[0]: row for row in table(README, "Target")}


def secret(stack):
    return secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "third-party")


# How to make each target, with as little as it takes. A new target belongs here and in the README's table.
NEW_TARGET = {
    "ApiDestination": lambda stack: targets.ApiDestination(
        events.ApiDestination(
            stack,
            "Destination",
            endpoint="https://example.com",
            connection=events.Connection(
                stack,
                "Connection",
                authorization=events.Authorization.api_key("Key", SecretValue.secrets_manager("third-party")),
            ),
        )
    ),
    "Automation": lambda _: targets.Automation("AWS-StopEC2Instance"),
    "EventBus": lambda stack: targets.EventBus(events.EventBus(stack, "Bus")),
    "FirehoseStream": lambda stack: targets.FirehoseStream(
        firehose.DeliveryStream.from_delivery_stream_attributes(
            stack, "Firehose", delivery_stream_name="findings"
        )
    ),
    "JiraCloud": lambda stack: targets.JiraCloud(
        stack, "Jira", base_url="https://example.atlassian.net", project_key="SEC", secret=secret(stack)
    ),
    "KinesisStream": lambda stack: targets.KinesisStream(kinesis.Stream(stack, "Stream")),
    "LambdaFunction": lambda stack: targets.LambdaFunction(
        lambda_.Function(
            stack,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handle",
            code=lambda_.Code.from_inline("def handle(event, context): return event"),
        )
    ),
    "LogGroup": lambda stack: targets.LogGroup(logs.LogGroup(stack, "Logs")),
    "MicrosoftTeams": lambda stack: targets.MicrosoftTeams(
        stack, "Teams", workflow_url="https://example.com/workflows/1", secret=secret(stack)
    ),
    "PagerDuty": lambda stack: targets.PagerDuty(
        stack, "PagerDuty", secret=secret(stack), severity=targets.PagerDutySeverity.CRITICAL
    ),
    "RunCommand": lambda _: targets.RunCommand(
        "AWS-UpdateSSMAgent", instances=targets.Instances.with_tag("Team", "security")
    ),
    "ServiceNow": lambda stack: targets.ServiceNow(
        stack,
        "ServiceNow",
        base_url="https://example.service-now.com",
        secret=secret(stack),
        urgency=targets.ServiceNowLevel.HIGH,
        impact=targets.ServiceNowLevel.HIGH,
    ),
    "Slack": lambda stack: targets.Slack(stack, "Slack", channel="C024BE91L", secret=secret(stack)),
    "SnsTopic": lambda stack: targets.SnsTopic(sns.Topic(stack, "Topic")),
    "SplunkHec": lambda stack: targets.SplunkHec(
        stack, "Splunk", base_url="https://http-inputs-example.splunkcloud.com", secret=secret(stack)
    ),
    "SqsQueue": lambda stack: targets.SqsQueue(sqs.Queue(stack, "Queue")),
    "StateMachine": lambda stack: targets.StateMachine(
        stepfunctions.StateMachine(
            stack,
            "Machine",
            definition_body=stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(stack, "Pass")),
        )
    ),
    "Webhook": lambda stack: targets.Webhook(
        stack,
        "Webhook",
        endpoint="https://example.com",
        authorization=events.Authorization.api_key("Key", SecretValue.secrets_manager("third-party")),
    ),
}


def rule_properties(stack):
    (rule,) = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    return rule["Properties"]


def test_the_readme_has_a_row_for_every_rule_and_target():
    assert list(EVENT_ROWS) == list(RULES)
    assert sorted(TARGET_ROWS) == sorted(TARGETS)


@pytest.mark.parametrize("name", EVENT_ROWS)
def test_a_rule_matches_the_detail_types_that_the_readme_says(stack, name):
    action = {"action": CustomAction.from_action_id(stack, "Action", "Action")}
    settings = action if RULES[name] is CustomActionRule else {}
    RULES[name](stack, name, targets=[NEW_TARGET["SqsQueue"](stack)], **settings)
    assert code_in(EVENT_ROWS[name][1]) == rule_properties(stack)["EventPattern"]["detail-type"]


@pytest.mark.parametrize("name", TARGET_ROWS)
def test_a_target_has_the_access_that_the_readme_says_and_retries_and_a_dead_letter_queue(stack, name):
    rule = events.Rule(
        stack,
        "Rule",
        event_pattern=events.EventPattern(detail_type=["Security Hub Findings - Imported"]),
    )
    rule.add_target(NEW_TARGET[name](stack))
    (target,) = rule_properties(stack)["Targets"]
    assert TARGET_ROWS[name][2] == ("role" if "RoleArn" in target else "resource policy")
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
    assert "DeadLetterConfig" in target


def test_the_providers_document_lists_the_native_regions():
    (sentence,) = re.findall(r"^Native regions: (.*?)\. ", prose(ROOT / "docs" / "providers.md"), re.M | re.S)
    assert code_in(sentence) == sorted(NATIVE_REGIONS)


def test_the_emulator_document_lists_every_endpoint_of_its_own():
    sources = "\n".join(path.read_text() for path in (ROOT / "emulator").rglob("*.py"))
    endpoints = re.findall(r'^\w+_PATH(?:: Final)? = "(/_.+)"$', sources, re.MULTILINE)
    rows = table(EMULATOR, "Endpoint")
    assert sorted(code_in(row[0])[0].split()[1] for row in rows) == sorted(endpoints)


def test_the_table_of_remediations_names_every_module_once():
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "remediation.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(read_catalog())


def test_the_readme_counts_the_controls_that_are_remediated():
    controls = {control for entry in read_catalog().values() for control in entry.controls}
    assert f"remediations for {len(controls)} controls" in (ROOT / "README.md").read_text()
