from __future__ import annotations

import copy

import pytest

from functions.tickets.deciding import is_failing
from securityhub.events import parse_finding, parse_finding_v2

GONE = {"RecordState": "ARCHIVED"}
WITHOUT = {"Compliance": None}


@pytest.fixture
def make(load_event):
    """A function that makes a finding of a product of AWS with changes."""
    (template,) = load_event("findings_imported")["detail"]["findings"]

    def finding(product, **changes):
        arn = f"arn:aws:securityhub:eu-west-1::product/{product}"
        given = {**template, "ProductArn": arn, **changes}
        return parse_finding({name: value for name, value in given.items() if value is not None})

    return finding


@pytest.mark.parametrize(
    ("product", "changes", "expected"),
    [
        ("aws/securityhub", {"Compliance": {"Status": "FAILED"}}, True),
        ("aws/securityhub", {"Compliance": {"Status": "PASSED"}}, False),
        ("aws/securityhub", {"Compliance": {"Status": "FAILED"}, **GONE}, False),
        ("aws/securityhub", {"Compliance": {"Status": "NOT_AVAILABLE"}}, False),
        # A package, an open port, and code, of which only the first names a package.
        ("aws/inspector", {"Vulnerabilities": [{"Id": "CVE-2026-1"}], **WITHOUT}, True),
        ("aws/inspector", WITHOUT, True),
        ("aws/inspector", {**WITHOUT, **GONE}, False),
        ("aws/access-analyzer", WITHOUT, True),
        ("aws/access-analyzer", {**WITHOUT, **GONE}, False),
        ("aws/guardduty", WITHOUT, False),
        ("example/inspector", WITHOUT, False),
    ],
)
def test_what_aws_checks_again_is_failing_until_aws_says_otherwise(make, product, changes, expected):
    assert is_failing(make(product, **changes)) is expected


def test_what_amazon_inspector_finds_is_failing_in_the_new_hub_as_well(load_event):
    finding = copy.deepcopy(load_event("findings_imported_v2")["detail"]["findings"][0])
    finding.pop("compliance", None)
    finding["metadata"]["product"]["uid"] = "arn:aws:securityhub:eu-west-1::productv2/aws/inspector"
    assert is_failing(parse_finding_v2(finding))
    finding["metadata"]["product"]["uid"] = "arn:aws:securityhub:eu-west-1::productv2/aws/guardduty"
    assert not is_failing(parse_finding_v2(finding))


@pytest.mark.parametrize("product", ["securityhub", "securityhub-risk"])
def test_an_exposure_is_failing_until_security_hub_closes_it(load_event, product):
    finding = copy.deepcopy(load_event("findings_imported_v2")["detail"]["findings"][0])
    finding.pop("compliance", None)
    finding["metadata"]["product"]["uid"] = f"arn:aws:securityhub:eu-west-1::productv2/aws/{product}"
    finding["finding_info"]["types"] = ["Exposure/Potential Impact/Resource Hijacking"]
    assert is_failing(parse_finding_v2(finding))
    assert not is_failing(parse_finding_v2({**finding, "activity_name": "Close"}))
