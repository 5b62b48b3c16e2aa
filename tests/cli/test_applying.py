"""Which findings an automation rule is applied to."""

from __future__ import annotations

from types import SimpleNamespace

from securityhub_actions.cli.applying import LiveAutomationRule, findings_of

CRITERIA = {"ComplianceSecurityControlId": [{"Value": "S3.2", "Comparison": "EQUALS"}]}


class FakeClient:
    """GetFindings, which remembers what it was asked for."""

    def __init__(self):
        self.asked = None

    def get_paginator(self, _):
        return self

    def paginate(self, **request):
        self.asked = request["Filters"]
        return [{"Findings": [{"Id": "1"}]}]


def test_a_rule_of_cspm_is_applied_to_the_findings_of_its_own_region_also_where_others_are_aggregated():
    client = FakeClient()
    rule = LiveAutomationRule(
        name="Website",
        arn="arn:aws:securityhub:eu-west-1:111122223333:automation-rule/1f2e3d4c",
        is_v2=False,
        is_enabled=True,
        criteria=CRITERIA,
        update={},
    )
    assert list(findings_of(SimpleNamespace(client=lambda _: client), rule)) == [{"Id": "1"}]
    assert client.asked == {**CRITERIA, "Region": [{"Value": "eu-west-1", "Comparison": "EQUALS"}]}
