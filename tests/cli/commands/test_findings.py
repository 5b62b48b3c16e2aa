"""Findings of an account are listed by the fields of FindingFilter."""

from __future__ import annotations

import pytest

from emulator.server import DEFAULT_REGION
from securityhub_actions import FindingFilter
from securityhub_actions.cli.commands.findings import command
from tests.cli.deployed import enable_security_hub, findings_of
from tests.e2e.findings import import_findings

CONTROL = "Lambda.77"
LABELS = ["LOW", "CRITICAL", "MEDIUM", "HIGH"]


@pytest.fixture(scope="module", autouse=True)
def imported(embedded_aws):
    """Four findings of one control, of different severity, update, resource, and workflow status."""
    enable_security_hub(embedded_aws)
    findings = findings_of(CONTROL, len(LABELS))
    for number, (finding, label) in enumerate(zip(findings, LABELS, strict=True)):
        finding["Severity"] = {"Label": label}
        finding["UpdatedAt"] = f"2026-01-0{number + 1}T00:00:00Z"
        finding["Title"] = f"Title {number} of four"
        finding["Resources"] = [
            {"Type": "AwsLambdaFunction", "Id": f"arn:aws:lambda:us-east-1:111122223333:function:f{number}"}
        ]
    findings[0]["Workflow"] = {"Status": "SUPPRESSED"}
    findings[1]["Resources"][0]["Tags"] = {"team": "payments"}
    import_findings(embedded_aws, findings)
    return findings


@pytest.fixture
def listed(cli, of_account):
    """A function that returns the titles' numbers of the findings that some options list."""
    assert of_account

    def numbers(*options):
        ran = cli("findings", "--control", CONTROL, "--json", *options)
        assert ran.code == 0, ran
        return [int(one["Title"].split()[1]) for one in ran.document["Findings"]]

    return numbers


def test_each_field_of_findingfilter_is_an_option():
    names = {parameter.name for parameter in command.params}
    assert {*FindingFilter.fields, "resource_tags", "user_defined_fields"} <= names


def test_by_default_open_findings_are_listed_the_latest_first(listed):
    assert listed() == [3, 2, 1]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--workflow-status", "ANY"), [3, 2, 1, 0]),
        (("--workflow-status", "suppressed"), [0]),
        (("--severity", "HIGH", "--severity", "CRITICAL"), [3, 1]),
        (("--severity-score", "40..89"), [3, 2]),
        (("--resource-id", "*:f2"), [2]),
        (("--resource-id", "arn:aws:lambda:*"), [3, 2, 1]),
        (("--resource-type", "AwsS3Bucket"), []),
        (("--resource-tag", "team=pay*"), [1]),
        (("--title", "Title 3 *"), [3]),
        (("--title", "Title"), []),
        (("--account", "999999999999"), []),
        (("--finding-region", DEFAULT_REGION), [3, 2, 1]),
    ],
)
def test_an_option_chooses_as_the_field_does(listed, options, numbers):
    assert listed(*options) == numbers


@pytest.mark.parametrize(
    ("sort", "numbers"), [("severity", [1, 3, 2]), ("updated", [3, 2, 1]), ("title", [1, 2, 3])]
)
def test_findings_are_sorted_before_the_limit_applies(listed, sort, numbers):
    assert listed("--sort", sort) == numbers
    assert listed("--sort", sort, "--limit", "2") == numbers[:2]


@pytest.mark.usefixtures("of_account")
def test_more_findings_than_the_limit_are_named_beside_the_result(cli):
    ran = cli("findings", "--control", CONTROL, "--limit", "2")
    assert "There are more than 2." in ran.err
    assert cli("findings", "--control", CONTROL, "--limit", "3").err == ""


@pytest.mark.usefixtures("of_account")
def test_ids_are_printed_one_in_a_line(cli, imported):
    ran = cli("findings", "--control", CONTROL, "--ids", "--sort", "title")
    assert ran.out.splitlines() == [one["Id"] for one in imported[1:]]


@pytest.mark.usefixtures("of_account")
def test_a_row_says_what_and_where_it_is(cli):
    out = cli("findings", "--control", CONTROL, "--severity", "HIGH", columns=160).out
    assert out.split("\n")[0].split() == [
        "SEVERITY", "STATUS", "CONTROL", "TITLE", "RESOURCE", "ACCOUNT", "REGION", "UPDATED",
    ]  # fmt: skip
    assert {"HIGH", "NEW", CONTROL, "function:f3", DEFAULT_REGION} <= set(out.split())


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.usefixtures("of_account")
def test_what_it_lists_fits_the_page(cli, columns):
    ran = cli("findings", "--control", CONTROL, columns=columns)
    assert max(map(len, ran.out.splitlines())) <= columns
    assert "CRITICAL" in ran.out


@pytest.mark.usefixtures("of_account")
def test_no_finding_is_said_and_is_no_error(cli):
    ran = cli("findings", "--control", "None.1")
    assert (ran.code, ran.out.startswith("There are no such findings in")) == (0, True)


@pytest.mark.usefixtures("of_account")
def test_what_is_listed_can_be_explained(cli, app, imported, tmp_path):
    file = tmp_path / "findings.json"
    file.write_text(cli("findings", "--control", CONTROL, "--severity", "CRITICAL", "--json").out)
    explained = cli("explain", file, "--template", app, "--json").document
    assert {one["finding"] for one in explained} == {imported[1]["Id"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--severity", "SEVERE"), "INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL, not 'SEVERE'"),
        (("--account", "12"), "account_ids must be a 12-digit account ID, not '12'"),
        (("--severity-score", "many"), "severity_score accepts numbers, not 'many'"),
        (("--confidence", "101"), "confidence must be a number from 0 to 100, not 101"),
        (("--resource-tag", "team"), "'team' is not a KEY=VALUE"),
        (("--title", " "), "title accepts strings that are not blank"),
        (("--title", "a**b"), "**"),
        (("--sort", "color"), "'color' is not one of"),
        (("--limit", "0"), "--limit"),
        (("--ids", "--json"), "exclude each other"),
    ],
)
@pytest.mark.usefixtures("of_account")
def test_wrong_input_is_refused_in_one_line(cli, options, said):
    ran = cli("findings", *options)
    assert (ran.code, said in ran.err, ran.err.count("\n")) == (2, True, 1), ran
