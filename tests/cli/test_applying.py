"""Which findings an automation rule is applied to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from emulator.securityhub import finding_filters
from securityhub_actions.cli.applying import LiveAutomationRule, findings_of
from securityhub_actions.cli.errors import CommandError

CRITERIA = {"ComplianceSecurityControlId": [{"Value": "S3.2", "Comparison": "EQUALS"}]}
OF_REGION = {"Region": [{"Value": "eu-west-1", "Comparison": "EQUALS"}]}


def finding(number=1, *, region="eu-west-1", **fields):
    return {"ProductArn": "arn:product", "Id": str(number), "Region": region, **fields}


class FakeClient:
    """GetFindings, which refuses what AWS refuses, and remembers what it was asked for."""

    def __init__(self, *findings):
        self.asked = []
        self._findings = findings

    def get_paginator(self, _):
        return self

    def paginate(self, **request):
        finding_filters.check(request["Filters"])
        self.asked.append(request["Filters"])
        found = [one for one in self._findings if finding_filters.matches(one, request["Filters"])]
        return [{"Findings": found}]


def ids_of(client, criteria):
    rule = LiveAutomationRule(
        name="Website",
        arn="arn:aws:securityhub:eu-west-1:111122223333:automation-rule/1f2e3d4c",
        is_v2=False,
        is_enabled=True,
        criteria=criteria,
        update={},
    )
    return [one["Id"] for one in findings_of(SimpleNamespace(client=lambda _: client), rule)]


def conditions(comparison, *values):
    return [{"Value": value, "Comparison": comparison} for value in values]


def test_a_rule_of_cspm_is_applied_to_the_findings_of_its_own_region_also_where_others_are_aggregated():
    client = FakeClient(finding(Compliance={"SecurityControlId": "S3.2"}))
    assert ids_of(client, CRITERIA) == ["1"]
    assert client.asked == [{**CRITERIA, **OF_REGION}]


def test_a_rule_with_more_values_than_a_request_takes_is_applied_to_all_of_them_and_to_each_finding_once():
    accounts = [f"{number:012}" for number in range(100)]
    client = FakeClient(
        *(finding(number, AwsAccountId=account) for number, account in enumerate(accounts)),
        finding("other", AwsAccountId="999999999999"),
    )
    assert ids_of(client, {"AwsAccountId": conditions("EQUALS", *accounts)}) == [*map(str, range(100))]
    assert len(client.asked) == 5
    arns = [f"arn:aws:s3:::bucket-{number}" for number in range(21)]
    client = FakeClient(finding(Resources=[{"Id": arns[0]}, {"Id": arns[20]}]))
    assert ids_of(client, {"ResourceId": conditions("EQUALS", *arns)}) == ["1"]


def test_what_a_rule_excludes_is_excluded_by_each_of_its_requests():
    titles = conditions("PREFIX", *(f"S3.{number:02}" for number in range(30)))
    client = FakeClient(finding(1, Title="S3.01 a"), finding(2, Title="S3.01 b"), finding(3, Title="S3.29 a"))
    assert ids_of(client, {"Title": [*titles, *conditions("NOT_EQUALS", "S3.01 b")]}) == ["1", "3"]
    assert len(client.asked) == 2


def test_a_rule_that_excludes_more_values_than_a_request_takes_is_an_error():
    excluded = conditions("NOT_EQUALS", *(f"{number:012}" for number in range(21)))
    with pytest.raises(CommandError, match="excludes 21 values of AwsAccountId, and GetFindings takes 20"):
        ids_of(FakeClient(), {"AwsAccountId": excluded})


def test_a_rule_with_as_many_fields_as_a_request_takes_is_still_one_of_its_region():
    names = ("AwsAccountId", "CompanyName", "Description", "GeneratorId", "Id", "ProductName", "ProductArn")
    fields = {**dict.fromkeys(names, "x"), "RecordState": "ACTIVE", "SourceUrl": "x", "Title": "x"}
    found = [{**finding(region=region), **fields} for region in ("eu-west-1", "eu-central-1")]
    client = FakeClient(*found)
    assert ids_of(client, {name: conditions("EQUALS", value) for name, value in fields.items()}) == ["x"]
    assert client.asked[0].keys() == fields.keys()


@pytest.mark.parametrize("number", [9, 10, 11, 15])
def test_a_rule_with_more_fields_than_a_request_takes_is_applied_to_what_meets_all_of_them(number):
    names = ["Title", "Description", "GeneratorId", "AwsAccountId", "CompanyName", "ProductName"]
    names += ["SourceUrl", "RecordState", "VerificationState", "AwsAccountName"]
    nested = {"SeverityLabel": ("Severity", "Label"), "WorkflowStatus": ("Workflow", "Status")}
    nested |= {"ComplianceStatus": ("Compliance", "Status"), "NoteText": ("Note", "Text")}
    nested |= {"NoteUpdatedBy": ("Note", "UpdatedBy")}
    fields = [*names, *nested][:number]
    good = dict.fromkeys(names, "x") | {
        "Severity": {"Label": "x"},
        "Workflow": {"Status": "x"},
        "Compliance": {"Status": "x"},
        "Note": {"Text": "x", "UpdatedBy": "x"},
    }
    last = fields[-1]
    bad = good | ({nested[last][0]: {nested[last][1]: "y"}} if last in nested else {last: "y"})
    findings = [finding(one, **(good if one % 3 else bad)) for one in range(50)]
    client = FakeClient(*findings)
    criteria = {name: conditions("EQUALS", "x") for name in fields}
    assert ids_of(client, criteria) == [str(one) for one in range(50) if one % 3]
    assert len(client.asked) <= 4
    with_id = {**criteria, "Id": conditions("EQUALS", "3", "4")}
    assert ids_of(client, with_id) == ["4"]
