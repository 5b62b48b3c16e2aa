"""Whether what the app adds fits into the quotas."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import HUB, deployed, refusal

RULE = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["aws.securityhub"]}}}


def existing(number):
    arns = [f"{HUB}:action/custom/A{index}" for index in range(number)]
    return {"ActionTargets": [{"ActionTargetArn": arn, "Name": "A", "Description": "A"} for arn in arns]}


@pytest.mark.parametrize(
    ("number", "added", "state"),
    [(39, "A1", State.OK), (39, "New", State.WARNING), (49, "New", State.WARNING), (50, "New", State.FAULT)],
)
def test_actions_are_counted_with_those_that_the_app_adds(doctor, number, added, state):
    action = {"Type": "AWS::SecurityHub::ActionTarget", "Properties": {"Id": added}}
    (found,) = doctor("action-quota", {"A": action}, securityhub__DescribeActionTargets=existing(number))
    assert found.state == state


def test_a_rule_that_is_deployed_is_not_counted_twice(doctor):
    rules = {"Rules": [{"Name": f"R{index}"} for index in range(300)]}
    (found,) = doctor(
        "rule-quota", {"R": RULE}, events__ListRules=rules, **deployed(("AWS::Events::Rule", "R", "R1"))
    )
    assert found.state == State.WARNING
    (found,) = doctor("rule-quota", {"R": RULE}, events__ListRules=rules)
    assert found.state == State.FAULT


def test_the_default_quota_stands_in_for_one_that_is_not_told(doctor):
    (found,) = doctor("rule-quota", service_quotas__GetServiceQuota=refusal("AccessDeniedException"))
    assert (found.state, "0 of 300 rules" in found.text) == (State.OK, True)


def test_what_the_app_says_of_a_quota_that_was_increased_counts_where_it_is_not_told(doctor):
    metadata = [{"type": "securityhub-actions:rulesQuota", "data": 700}]
    refused = refusal("AccessDeniedException")
    (found,) = doctor("rule-quota", {"R": RULE}, metadata=metadata, service_quotas__GetServiceQuota=refused)
    assert "0 of 700 rules" in found.text
    (found,) = doctor("rule-quota", {"R": RULE}, metadata=metadata)
    assert "0 of 300 rules" in found.text
