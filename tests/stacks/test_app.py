"""The app as a whole: once as the CDK CLI runs it, and for other places in this process, which is faster.

The CLI also runs it where `tests/e2e/test_analyst_actions.py` deploys it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App

import app
from stacks.settings.press import ACTIONS
from tests.checks import check_as_cdk_synth
from tests.docs.documents import code_in, table
from tests.shipped_settings import SHIPPED_SETTINGS_FILE, load_shipped_settings
from tools.cdk import ROOT, cdk_command

STACKS = ("SecurityHubAnalystActions", "SecurityHubFindingsRouting")


@pytest.fixture
def synthesize(tmp_path, monkeypatch, context):
    """A function that runs the app for a region, or for none, and returns the templates' texts by stack.

    Only with `checked` it makes the checks, which take longer than everything else.
    """

    def run(region, *, checked=False, **more):
        settings = {"outdir": str(tmp_path), "context": {**context, **more}, "analytics_reporting": False}
        monkeypatch.setattr(app, "App", lambda: App(**settings))
        monkeypatch.setattr(app, "load_settings", load_shipped_settings)
        monkeypatch.setattr(app, "check_templates", check_as_cdk_synth if checked else lambda _: None)
        for name, value in (("ACCOUNT", "111122223333"), ("REGION", region)):
            if region:
                monkeypatch.setenv(f"CDK_DEFAULT_{name}", value)
            else:
                monkeypatch.delenv(f"CDK_DEFAULT_{name}", raising=False)
        app.main()
        templates = tmp_path.glob("*.template.json")
        return {file.name.removesuffix(".template.json"): file.read_text() for file in templates}

    return run


def without_aws_settings():
    """The environment without credentials, region or profile, with which the CLI looks an account up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **nothing, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.long
def test_the_cli_synthesizes_it_clean(tmp_path):
    # cdk.json names .venv, where another Python may run the tests.
    command = f"{Path(sys.executable)} app.py"
    settings = f"settings={SHIPPED_SETTINGS_FILE}"
    done = subprocess.run(  # noqa: S603 - the pinned CDK CLI
        cdk_command(
            *("synth", "--all", "--quiet", "--app", command),
            *("--context", settings, "--output", str(tmp_path)),
        ),
        cwd=ROOT,
        env={**without_aws_settings(), "AWS_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((tmp_path / f"{stack}.template.json").exists() for stack in STACKS)


@pytest.mark.parametrize("region", ["us-east-1", pytest.param("cn-north-1", marks=pytest.mark.long)])
def test_it_synthesizes_clean_for(synthesize, region):
    assert synthesize(region, checked=True).keys() == set(STACKS)


def test_the_context_names_a_file_with_what_differs(synthesize, tmp_path):
    file = tmp_path / "production.toml"
    file.write_text("[routing.high]\nenabled = false\n[remediation]\nenabled = true")
    templates = synthesize("eu-west-1", settings=str(file))
    assert templates.keys() == {
        *STACKS,
        "SecurityHubFindingTurns",
        "SecurityHubRemediation",
        "SecurityHubRemediationMember",
        "SecurityHubStopSwitch",
    }
    assert "High" not in templates["SecurityHubFindingsRouting"]


def test_suppressions_have_a_stack_of_their_own_and_the_topic_of_the_digests(synthesize, tmp_path):
    file = tmp_path / "production.toml"
    file.write_text(
        '[[suppressions]]\nname = "Website"\nreason = "It is public"\nuntil = 2099-03-31\n'
        'filter = { control_ids = "S3.2" }'
    )
    templates = synthesize("eu-west-1", settings=str(file), checked=True)
    assert templates.keys() == {*STACKS, "SecurityHubSuppressions"}
    assert "DigestTopic" in templates["SecurityHubSuppressions"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[suppressions]]\nname = "A"\nreason = "B"\nuntil = 2020-01-01\n'
            'filter = { control_ids = "S3.2" }',
            r"suppressions\[0\] of settings.toml: until of \S+ is 2020-01-01, which is past",
        ),
        (
            '[[suppressions]]\nname = "A"\nreason = "B"\nfilter = {}',
            r"suppressions\[0\] of settings.toml: findings of .* chooses by status only",
        ),
        (
            '[alarms]\ntopic_arn = "arn:aws:sns:us-east-1:111122223333:alarms"',
            r"alarms.topic_arn = .* is in the Region us-east-1, but \w+ is in eu-west-1",
        ),
        (
            "[encryption]\n"
            'key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"',
            r"encryption.key of settings.toml: The key .* is in the Region us-east-1",
        ),
    ],
)
def test_a_setting_that_only_synthesis_finds_wrong_is_a_message_without_a_traceback(
    synthesize, tmp_path, text, message
):
    file = tmp_path / "production.toml"
    file.write_text(text)
    with pytest.raises(SystemExit, match=message) as raised:
        synthesize("eu-west-1", settings=str(file))
    assert isinstance(raised.value.code, str)


def test_the_tokens_of_slack_apps_are_renewed_by_a_stack_of_its_own(synthesize, tmp_path):
    file = tmp_path / "production.toml"
    file.write_text("[summary]\nenabled = true\n[summary.slack]\nenabled = true\ntoken_rotation = true")
    templates = synthesize("eu-west-1", settings=str(file))
    assert templates.keys() == {*STACKS, "SecurityHubSlackTokens", "SecurityHubSummary"}
    # Only that stack writes to secrets.
    assert [name for name, one in templates.items() if "secretsmanager:PutSecretValue" in one] == [
        "SecurityHubSlackTokens"
    ]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_apps_functions_are_traced_where_the_settings_say_so(synthesize, tmp_path, enabled):
    file = tmp_path / "production.toml"
    file.write_text(
        f"[tracing]\nenabled = {str(enabled).lower()}\n[remediation]\nenabled = true\n"
        "[ticketing]\nenabled = true\n[ticketing.jira]\nenabled = true\n[summary]\nenabled = true"
    )
    traced = {
        resource["Properties"]["Handler"]
        for template in synthesize("eu-west-1", settings=str(file)).values()
        for resource in json.loads(template)["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and "TracingConfig" in resource["Properties"]
    }
    functions = ("insight_digest", "remediate", "summary", "tickets", "update_findings")
    assert traced == ({f"functions.{name}.handler.handle" for name in functions} if enabled else set())


ALL_STACKS = "[remediation]\nenabled = true\n[ticketing]\nenabled = true\n[ticketing.jira]\nenabled = true\n"
ROLE = "arn:aws:iam::111122223333:role/SecurityResponder"


def test_the_summary_counts_the_dead_letters_of_every_stack_that_has_some_and_the_work_of_remediation(
    synthesize, tmp_path
):
    file = tmp_path / "production.toml"
    file.write_text(f"{ALL_STACKS}[summary]\nenabled = true\n[outcomes]\nenabled = true")
    templates = synthesize("us-east-1", settings=str(file))
    (variables,) = (
        one["Properties"]["Environment"]["Variables"]
        for one in json.loads(templates["SecurityHubSummary"])["Resources"].values()
        if one.get("Properties", {}).get("Handler") == "functions.summary.handler.handle"
    )
    with_queue = {name for name, template in templates.items() if "SecurityHubDeadLetterQueue" in template}
    named = json.dumps(variables["DEAD_LETTER_QUEUES"])
    assert all(rf"\"{name}\"" in named for name in with_queue)
    assert len(with_queue) == 6
    assert "REMEDIATION_LOG_GROUP" in variables


def test_the_document_lists_the_stacks_of_which_something_stays_when_they_are_removed(everything):
    stores = ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket")
    retained = {
        stack
        for (stack, _), resource in everything.items()
        if resource["Type"] in stores and resource.get("DeletionPolicy") == "Retain"
    }
    operations = ROOT / "docs" / "operations.md"
    assert {code_in(row[0])[0] for row in table(operations, "Stack")} == retained


def press_rules(templates):
    """The stack and the custom action of each rule on a press bus."""
    found = set()
    for stack, template in templates.items():
        resources = json.loads(template)["Resources"]
        for resource in resources.values():
            if resource["Type"] == "AWS::Events::Rule" and "EventBusName" in resource["Properties"]:
                pattern = resource["Properties"]["EventPattern"]
                assert pattern["source"] == ["securityhub-actions.press"]
                action = pattern["resources"][0]["Fn::GetAtt"][0]
                found.add((stack, resources[action]["Properties"]["Id"]))
    return found


def test_as_shipped_no_action_can_be_used_from_a_terminal(synthesize, tmp_path):
    file = tmp_path / "production.toml"
    file.write_text(ALL_STACKS)
    assert "AWS::Events::EventBus" not in "".join(synthesize("us-east-1", settings=str(file)).values())


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param(ACTIONS, id="all"),
        pytest.param(("MarkAsNotified", "UndoRemediation"), id="some", marks=pytest.mark.long),
    ],
)
def test_the_actions_that_the_settings_name_can_be_used_from_a_terminal(synthesize, tmp_path, actions):
    file = tmp_path / "production.toml"
    file.write_text(
        f'{ALL_STACKS}[press]\nenabled = true\nprincipals = ["{ROLE}"]\nactions = {json.dumps(actions)}'
    )
    templates = synthesize("us-east-1", settings=str(file), checked=True)
    rules = press_rules(templates)
    assert {action for _, action in rules} == set(actions)
    for stack in {stack for stack, _ in rules}:
        (bus,) = (
            one["Properties"]
            for one in json.loads(templates[stack])["Resources"].values()
            if one["Type"] == "AWS::Events::EventBus"
        )
        assert bus["Policy"]["Statement"][0]["Condition"]["ArnLike"] == {"aws:PrincipalArn": [ROLE]}
    assert all(
        "AWS::Events::EventBus" not in templates[stack]
        for stack in set(templates) - {one for one, _ in rules}
    )


def test_no_template_names_a_partition_account_or_region_when_none_is_known(synthesize):
    text = "".join(synthesize(None).values())
    assert not [word for word in ("arn:aws:", "us-east-1", "111122223333") if word in text]
