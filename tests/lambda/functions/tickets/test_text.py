from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.contract import Draft, Ticket
from functions.tickets.text import MAX_BODY_CHARACTERS, body, title
from securityhub.events import Finding, Resource
from tests.vendor_servers.server import utf16_length

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=3_000)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FINDING = Finding(
    id="arn:finding/1",
    product_arn="arn:aws:securityhub:eu-west-1::product/aws/securityhub",
    aws_account_id="111122223333",
    region="eu-west-1",
    generator_id="security-control/S3.8",
    title="Buckets should block public access",
    severity_label="HIGH",
    workflow_status="NEW",
    record_state="ACTIVE",
    compliance_status="FAILED",
    resources=(Resource(type="AwsS3Bucket", id="arn:aws:s3:::one", region="eu-west-1"),),
    updated_at=None,
    raw={},
)


def draft(raw=None, *, earlier=None, **changes):
    return Draft(key="k", finding=replace(FINDING, raw=raw or {}, **changes), earlier=earlier)


def test_the_title_has_the_severity_first():
    assert title(FINDING, 255) == "[HIGH] Buckets should block public access"


def test_a_finding_without_title_and_severity_is_called_by_its_id():
    assert title(replace(FINDING, title=None, severity_label=None), 255) == "[NO SEVERITY] arn:finding/1"


@given(ANY_TEXT, ANY_TEXT, st.integers(10, 300))
def test_a_title_is_one_line_within_its_limit(text, severity, limit):
    made = title(replace(FINDING, title=text, severity_label=severity), limit)
    assert 0 < utf16_length(made) <= limit
    assert len(made.splitlines()) == 1
    assert made == made.strip()


def test_the_body_has_all_there_is_to_know():
    raw = {
        "Description": "It is\npublic.",
        "Compliance": {"SecurityControlId": "S3.8"},
        "Remediation": {"Recommendation": {"Text": "Block it.", "Url": "https://docs.aws.amazon.com/x"}},
    }
    assert body(draft(raw, earlier=Ticket(id="1", link="https://example.com/1"))).splitlines() == [
        "It is public.",
        "Severity: HIGH",
        "Account: 111122223333",
        "Region: eu-west-1",
        "Control: S3.8",
        "Finding: arn:finding/1",
        "Product: arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "Remediation: Block it.",
        "Instructions: https://docs.aws.amazon.com/x",
        "Earlier ticket: https://example.com/1",
        "Resource: AwsS3Bucket arn:aws:s3:::one",
    ]


def test_without_consolidated_findings_the_control_is_named_by_its_generator():
    assert "Control: security-control/S3.8" in body(draft())


@pytest.mark.parametrize(
    "product",
    [":product/aws/guardduty", "111122223333:product/111122223333/default", ":product/aws/inspector"],
)
def test_what_is_no_control_is_not_called_one(product):
    raw = {
        "Types": ["TTPs/Discovery/Recon:EC2-Portscan"],
        "Compliance": {"SecurityControlId": "S3.8"},
    }
    text = body(draft(raw, product_arn=f"arn:aws:securityhub:eu-west-1:{product}", generator_id="detector/1"))
    assert "\nType: TTPs/Discovery/Recon:EC2-Portscan\nGenerator: detector/1\n" in text
    assert "Control" not in text


def test_vulnerable_packages_come_before_the_remediation_that_refers_to_them():
    packages = [
        {"Name": "openssl-libs", "Version": "1.1.1k", "FixedInVersion": "1:1.1.1k-9", "FilePath": "/usr/lib"},
        {"Name": "zlib", "Version": "1.2", "FixedInVersion": "NotAvailable"},
    ]
    raw = {
        "Vulnerabilities": [
            {"Id": "CVE-2023-0286", "VulnerablePackages": packages},
            {"Id": "CVE-2023-9999"},
            "odd",
        ],
        "Remediation": {"Recommendation": {"Text": "Refer to the fixed version in the details above."}},
    }
    lines = body(draft(raw)).splitlines()
    first = lines.index(
        "Vulnerability: CVE-2023-0286 openssl-libs 1.1.1k in /usr/lib (fixed version: 1:1.1.1k-9)"
    )
    assert lines[first + 1 : first + 4] == [
        "Vulnerability: CVE-2023-0286 zlib 1.2",
        "Vulnerability: CVE-2023-9999",
        "Remediation: Refer to the fixed version in the details above.",
    ]


def test_of_many_vulnerable_packages_the_first_ten_are_named():
    packages = [{"Name": f"package-{number}"} for number in range(13)]
    text = body(draft({"Vulnerabilities": [{"Id": "CVE-1", "VulnerablePackages": packages}]}))
    assert "Vulnerability: CVE-1 package-9\nAnd 3 more vulnerable packages.\n" in text


def test_of_many_resources_the_first_ten_are_named():
    many = tuple(Resource(type=None, id=f"resource-{number}", region=None) for number in range(12))
    lines = body(draft(resources=many)).splitlines()
    assert lines[-2:] == ["Resource: resource-9", "And 2 more resources."]


@pytest.mark.parametrize("field", ["Description", "Compliance", "Remediation", "Types", "Vulnerabilities"])
@given(value=JSON)
def test_whatever_a_provider_puts_in_a_field_the_body_is_well_formed_and_within_its_limit(field, value):
    shaped = [{"Id": value, "VulnerablePackages": [{"Name": value, "FixedInVersion": value}]}]
    raw = {"Vulnerabilities": shaped, field: value}
    made = body(draft({**raw, "Remediation": {"Recommendation": {"Text": value, "Url": value}}}))
    assert utf16_length(made) <= MAX_BODY_CHARACTERS
    assert "Finding: arn:finding/1" in made
    assert all(line.isprintable() or line.strip() for line in made.splitlines())


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u00ad", "\U000e0041"])
def test_what_cannot_be_seen_or_turns_the_direction_of_a_text_is_left_out(hidden):
    assert title(replace(FINDING, title=f"Root{hidden}login"), 100) == "[HIGH] Rootlogin"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://docs.aws.amazon.com/console", True),
        ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False),
        ("java\u200bscript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_only_a_link_to_a_web_page_is_shown(url, shown):
    text = body(draft({"Remediation": {"Recommendation": {"Text": "Do it", "Url": url}}}))
    assert ("Instructions: " in text) is shown
