from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.grouping import GroupBy, group_by_of, group_of, line_about, reference_of
from functions.tickets.text import title
from securityhub.events import Finding, parse_finding, parse_finding_v2
from tests.both_formats import asff_finding, ocsf_finding
from tests.forged_findings import forged
from tests.hypothesis_profiles import examples
from tests.vendor_servers.server import utf16_length

CONTROL, ACCOUNT, RESOURCE = GroupBy.CONTROL, GroupBy.CONTROL_AND_ACCOUNT, GroupBy.RESOURCE
OTHER_ACCOUNT = {"AwsAccountId": "444455556666"}
BUCKET = {"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::example", "Region": "eu-west-1"}
INSTANCE = {"Type": "AwsEc2Instance", "Id": "i-0123456789abcdef0", "Region": "eu-west-1"}


def product(name, region="eu-west-1"):
    return {"ProductArn": f"arn:aws:securityhub:{region}::product/{name}"}


@pytest.fixture
def make(load_event) -> Callable[..., Finding]:
    """A function that makes a finding of the control S3.8 with changes."""
    (template,) = load_event("findings_imported")["detail"]["findings"]
    return lambda **changes: parse_finding({**template, **changes})


@pytest.fixture
def same(make):
    """A function that says whether findings with two changes are of one group."""
    return lambda by, one, other: reference_of(make(**one), by) == reference_of(make(**other), by)


def standard(name):
    """A finding as a standard without consolidated control findings has it."""
    return {
        "Id": f"arn:aws:securityhub:eu-west-1:111122223333:subscription/{name}/S3.8/finding/1",
        "GeneratorId": f"{name}/S3.8",
        "Compliance": {"Status": "FAILED", "SecurityControlId": "S3.8"},
    }


def test_a_ticket_per_finding_is_no_group(make):
    assert reference_of(make(), GroupBy.FINDING) is None


@pytest.mark.parametrize("by", [CONTROL, ACCOUNT, RESOURCE])
def test_three_standards_with_one_control_are_one_group(same, by):
    first, *others = map(standard, ("cis-aws-foundations-benchmark", "pci-dss", "nist-800-53"))
    assert all(same(by, first, other) for other in others)


@pytest.mark.parametrize(
    ("by", "changes", "is_same"),
    [
        (CONTROL, OTHER_ACCOUNT, True),
        (CONTROL, {"Region": "us-east-1", **product("aws/securityhub", "us-east-1")}, True),
        (CONTROL, {"Resources": [INSTANCE]}, True),
        (CONTROL, {"Compliance": {"SecurityControlId": "S3.5"}}, False),
        (ACCOUNT, OTHER_ACCOUNT, False),
        (ACCOUNT, {"Resources": [INSTANCE]}, True),
        (RESOURCE, OTHER_ACCOUNT, False),
        (RESOURCE, {"Compliance": {"SecurityControlId": "S3.5"}, "Title": "x"}, True),
        (RESOURCE, product("aws/macie"), True),
        (RESOURCE, {"Region": "us-east-1"}, True),
        (RESOURCE, {"Resources": [INSTANCE]}, False),
    ],
)
def test_what_findings_of_a_group_have_in_common(same, by, changes, is_same):
    base = {"Compliance": {"SecurityControlId": "S3.8"}, "Resources": [BUCKET]}
    assert same(by, base, {**base, "Id": "other", **changes}) is is_same


def test_a_resource_without_an_arn_is_another_one_in_another_region(same):
    other = {**INSTANCE, "Region": "us-east-1"}
    assert not same(RESOURCE, {"Resources": [INSTANCE]}, {"Resources": [other]})


def test_groupings_share_no_group(make):
    keys = {reference_of(make(), by).key for by in GroupBy if by is not GroupBy.FINDING}
    assert len(keys) == 3


@pytest.mark.parametrize("by", [CONTROL, ACCOUNT, RESOURCE])
@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:securityhub:eu-west-1:444455556666:product/444455556666/default",
        "arn:aws:securityhub:eu-west-1::product/example/scanner",
        "arn:aws:securityhub:eu-west-1::product/aws/securityhub/more",
        "arn:aws:securityhub:eu-west-1:444455556666:product/aws/securityhub",
        "arn:aws-cn:securityhub:cn-north-1::product/aws/securityhub",
    ],
)
def test_a_product_of_others_shares_no_group_with_those_of_aws_whatever_is_in_its_findings(same, by, name):
    assert not same(by, {}, {"ProductArn": name})


def vulnerable(number, **changes):
    return {
        **product("aws/inspector"),
        "Id": "other",
        "GeneratorId": "AWSInspector",
        "Vulnerabilities": [{"Id": f"CVE-2026-{number}"}],
        **changes,
    }


def detected(type_, detector="a"):
    return {
        **product("aws/guardduty"),
        "GeneratorId": f"arn:aws:guardduty:eu-west-1:111122223333:detector/{detector}",
        "Types": [type_],
    }


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (vulnerable(1), vulnerable(1, Title="openssl"), True),
        (vulnerable(1), vulnerable(2), False),
        (vulnerable(1), {**vulnerable(1), **product("aws/securityhub")}, False),
        (detected("TTPs/Discovery/Recon"), detected("TTPs/Discovery/Recon", "b"), True),
        (detected("TTPs/Discovery/Recon"), detected("Effects/Data/Exfiltration"), False),
        (
            {**product("aws/macie"), "GeneratorId": "aws/macie", "Types": ["one"]},
            {**product("aws/macie"), "GeneratorId": "aws/macie", "Types": ["other"]},
            False,
        ),
        (
            {**product("example/scanner"), "GeneratorId": "rule-1", "Types": ["one"]},
            {**product("example/scanner"), "GeneratorId": "rule-2", "Types": ["one"]},
            False,
        ),
        (
            {**product("example/scanner"), "GeneratorId": "rule-1"},
            {**product("example/other"), "GeneratorId": "rule-1"},
            False,
        ),
    ],
)
def test_what_stands_for_a_control_in_findings_of_other_products(same, one, other, is_same):
    assert same(CONTROL, one, other) is is_same


def test_exposures_are_of_no_control_and_share_a_ticket_by_their_type(load_event):
    template = load_event("findings_imported_v2")["detail"]["findings"][0]

    def exposure(title, type_="Exposure/Potential Impact/Resource Hijacking"):
        info = {
            **template["finding_info"],
            "title": title,
            "types": [type_],
            "analytic": {"name": "Exposure"},
        }
        return parse_finding_v2({**template, "finding_info": info, "compliance": {}})

    first, second, other = exposure("A"), exposure("B"), exposure("C", "Exposure/Effects/Data Exposure")
    assert reference_of(first, CONTROL) == reference_of(second, CONTROL) != reference_of(other, CONTROL)
    assert group_of(first, CONTROL).subject == "Exposure/Potential Impact/Resource Hijacking Exposure"


@pytest.mark.parametrize(
    ("by", "changes", "subject", "facts"),
    [
        (
            CONTROL,
            {},
            "S3.8: S3 general purpose buckets should block public access",
            {"Control": "S3.8", "Product": "arn:aws:securityhub:eu-west-1::product/aws/securityhub"},
        ),
        (
            ACCOUNT,
            {},
            "S3.8 in account 111122223333: S3 general purpose buckets should block public access",
            {"Control": "S3.8", "Account": "111122223333"},
        ),
        (
            RESOURCE,
            {"Resources": [BUCKET]},
            "Findings on arn:aws:s3:::example",
            {"Resource": "arn:aws:s3:::example", "Account": "111122223333"},
        ),
        (CONTROL, vulnerable(1), "CVE-2026-1", {"Vulnerability": "CVE-2026-1"}),
        (CONTROL, detected("TTPs/Recon"), "TTPs/Recon", {"Type": "TTPs/Recon"}),
        (
            CONTROL,
            {**product("aws/macie"), "GeneratorId": "aws/macie", "Types": ["one"]},
            "one aws/macie",
            {"Type": "one", "Generator": "aws/macie"},
        ),
    ],
)
def test_the_ticket_of_a_group_has_a_subject_and_facts_of_all_its_findings(make, by, changes, subject, facts):
    group = group_of(make(**changes), by)
    assert group.subject == subject
    assert facts.items() <= group.facts.items()
    assert all(group.facts.values())


def test_a_control_brings_its_description_and_remediation_without_links_that_run_scripts(make):
    recommendation = {"Text": "Block it.", "Url": "javascript:alert(1)"}
    facts = group_of(make(Remediation={"Recommendation": recommendation}), CONTROL).facts
    assert facts["Remediation"] == "Block it."
    assert facts["Description"].startswith("This control checks")
    assert "Instructions" not in facts


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (CONTROL, "HIGH 111122223333 eu-west-1 arn:aws:s3:::example"),
        (RESOURCE, "HIGH S3.8 Buckets should block access"),
    ],
)
def test_the_line_of_a_finding_says_what_tells_it_from_the_others(make, by, text):
    finding = make(
        Severity={"Label": "HIGH"},
        Resources=[BUCKET],
        Title="Buckets should\nblock access",
        Region="eu-west-1",
    )
    line = line_about(finding, by)
    assert (line.text, line.severity, line.order) == (text, "HIGH", "111122223333 arn:aws:s3:::example")


def test_lines_are_ranked_by_severity_and_unknown_ones_come_last(make):
    labels = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "ODD"]
    assert [line_about(make(Severity={"Label": one}), CONTROL).rank for one in labels] == [*range(6)]


@pytest.mark.parametrize("by", [CONTROL, ACCOUNT, RESOURCE])
def test_a_finding_is_of_the_same_group_in_both_formats(by):
    asff, ocsf = parse_finding(asff_finding(1)), parse_finding_v2(ocsf_finding(1))
    assert reference_of(asff, by) == reference_of(ocsf, by)


@pytest.mark.parametrize("by", [CONTROL, ACCOUNT, RESOURCE])
@given(raw=forged())
@examples(0.6)
def test_whatever_is_in_a_finding_it_has_a_group_and_a_line(by, raw):
    try:
        finding = parse_finding_v2(raw)
    except ValueError:
        return
    assert len(reference_of(finding, by).key) == 64
    titled = dataclasses.replace(finding, title=f"{group_of(finding, by).subject} (10,000 findings)")
    assert title(titled, 160).endswith(" (10,000 findings)")
    group, line = group_of(finding, by), line_about(finding, by)
    for text in (group.subject, *group.facts.values(), *dataclasses.astuple(line)):
        assert "\n" not in text
    assert utf16_length(line.text) <= 240


@given(st.text(st.characters(exclude_categories=()), max_size=400), st.integers(0, 2))
def test_whatever_the_fields_say_they_have_one_group(text, which):
    by = [CONTROL, ACCOUNT, RESOURCE][which]
    raw = asff_finding(1)
    finding = parse_finding(
        {**raw, "Title": text, "Resources": [{"Type": text, "Id": text if text.strip() else "x"}]}
    )
    assert reference_of(finding, by) == reference_of(finding, by)
    assert group_of(finding, by).subject


@pytest.mark.parametrize("by", [*GroupBy])
def test_the_grouping_is_read_from_the_environment(by):
    assert group_by_of({"GROUP_BY": by.value}) is by


def test_without_a_grouping_each_finding_has_its_own_ticket():
    assert group_by_of({}) is GroupBy.FINDING


def test_an_unknown_grouping_is_refused():
    with pytest.raises(ValueError, match=r"GROUP_BY must be .*control and account.*, but is 'severity'"):
        group_by_of({"GROUP_BY": "severity"})
