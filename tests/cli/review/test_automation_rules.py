"""What a review says of suppressions and automation rules."""

from __future__ import annotations

from datetime import date

import pytest
from aws_cdk import App, Environment, Stack

from securityhub_actions import (
    AutomationRule,
    FindingFieldsUpdate,
    FindingFilter,
    OcsfFindingFilter,
    SuppressionRule,
)
from securityhub_actions.suppression_rule import TODAY

WEBSITE = {
    "findings": FindingFilter(control_ids="S3.2"),
    "reason": "It is public",
    "until": date(2027, 3, 31),
}
ENDS = "Suppresses findings until 2027-03-31: It is public"


@pytest.fixture
def synthesize(tmp_path, feature_flags):
    """A function that synthesizes a stack with suppressions, given by name, and a rule."""

    def make(name, suppressions, severity="LOW"):
        folder = tmp_path / name
        context = {
            **feature_flags,
            TODAY: "2027-01-01",
            "aws:cdk:disable-asset-staging": True,
            "aws:cdk:enable-path-metadata": True,
        }
        app = App(context=context, analytics_reporting=False, outdir=str(folder))
        stack = Stack(app, "Suppressions", env=Environment(account="111122223333", region="us-east-1"))
        for one, settings in suppressions.items():
            SuppressionRule(stack, one, **{**WEBSITE, **settings})
        AutomationRule(
            stack,
            "Lower",
            findings=FindingFilter(severity="HIGH"),
            update=FindingFieldsUpdate(severity=severity),
        )
        app.synth()
        return folder

    return make


@pytest.fixture
def headlines(cli, synthesize):
    """A function that returns the lines of a review that are about rules."""

    def of(before, after, **more):
        old, new = synthesize("old", before), synthesize("new", after, **more)
        printed = cli("review", old, "--template", new, columns=200)
        return [
            line for line in printed.out.splitlines() if "Suppression " in line or "Automation rule " in line
        ]

    return of


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"A": {}},
            {"A": {}, "Website": {}},
            f"high   Suppression added: Suppressions/Website: {ENDS}",
        ),
        (
            {"A": {}, "Website": {}},
            {"A": {}},
            "medium Suppression removed: Suppressions/Website: what it suppressed is opened",
        ),
        (
            {"Website": {}},
            {"Website": {"until": date(2028, 3, 31)}},
            "high   Suppression changed: Suppressions/Website: Suppresses findings until 2027-03-31: It is "
            "public -> Suppresses findings until 2028-03-31: It is public",
        ),
        (
            {"Website": {}},
            {"Website": {"findings": FindingFilter(control_ids=["S3.2", "S3.8"])}},
            "high   Suppression criteria changed: Suppressions/Website: "
            '+ compliance security control id: "S3.2", "S3.8"; - compliance security control id: "S3.2"',
        ),
        (
            {"Website": {"findings": OcsfFindingFilter(control_ids="S3.2", activity_name=None)}},
            {"Website": {"findings": OcsfFindingFilter(control_ids="S3.8", activity_name=None)}},
            'high   Suppression criteria changed: Suppressions/Website: + compliance.control: "S3.8"; '
            '- compliance.control: "S3.2"',
        ),
        (
            {"Website": {}},
            {"Website": {"enabled": False}},
            "medium Suppression disabled: Suppressions/Website: Suppresses findings until 2027-03-31: It is "
            "public",
        ),
    ],
)
def test_a_change_of_a_suppression_is_named_in_words(headlines, before, after, said):
    assert [line for line in headlines(before, after) if line.startswith(said[:6])] == [said]


def test_of_a_suppression_whose_criteria_change_it_is_said_what_is_opened(cli, synthesize):
    changed = {"Website": {"findings": FindingFilter(control_ids="S3.8")}}
    printed = cli("review", synthesize("old", {"Website": {}}), "--template", synthesize("new", changed))
    assert "what it has suppressed and no longer matches is opened" in " ".join(printed.out.split())


def test_a_change_of_another_rule_is_named(headlines):
    lines = headlines({}, {}, severity="MEDIUM")
    assert lines[0].startswith("high   Automation rule changed: Suppressions/Lower")
