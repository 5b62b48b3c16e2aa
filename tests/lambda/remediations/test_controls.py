from __future__ import annotations

from dataclasses import replace

import pytest

from remediations import controls, registry
from remediations.contract import CannotRemediateError


def test_the_control_is_the_one_of_consolidated_findings(finding):
    assert controls.control_of(replace(finding, raw={"Compliance": {"SecurityControlId": "S3.3"}})) == "S3.3"


def test_without_consolidation_the_control_ends_the_generators_id(finding):
    generator = "aws-foundational-security-best-practices/v/1.0.0/EC2.19"
    assert controls.control_of(replace(finding, raw={}, generator_id=generator)) == "EC2.19"


def test_another_product_of_aws_is_named_by_its_arn(finding):
    product = "arn:aws:securityhub:eu-west-1::product/aws/guardduty"
    assert controls.control_of(replace(finding, product_arn=product)) == "product/aws/guardduty"


@pytest.mark.parametrize(
    "product",
    [
        "arn:aws:securityhub:eu-west-1:444455556666:product/444455556666/default",
        "arn:aws:securityhub:eu-west-1::product/example/scanner",
        "arn:aws:securityhub:eu-west-1:444455556666:product/aws/securityhub",
        "anything:product/aws/securityhub",
    ],
)
def test_a_product_of_somebody_cannot_claim_to_be_about_a_control(finding, product):
    claims = replace(finding, product_arn=product, raw={"Compliance": {"SecurityControlId": "EC2.2"}})
    assert controls.control_of(claims) is None
    assert registry.remediations_for(claims, registry.all_remediations()) == ()


def test_the_parameters_of_the_control_are_those_of_the_finding(finding):
    given = [
        {"Name": "authorizedUdpPorts", "Value": []},
        {"Name": "authorizedTcpPorts", "Value": ["80", "443"]},
    ]
    made_with = replace(finding, raw={"Compliance": {"SecurityControlParameters": given}})
    assert controls.parameters_of(made_with) == {
        "authorizedUdpPorts": [],
        "authorizedTcpPorts": ["80", "443"],
    }


@pytest.mark.parametrize("raw", [{}, {"Compliance": None}, {"Compliance": {"Status": "FAILED"}}])
def test_a_finding_without_parameters_has_none(finding, raw):
    assert controls.parameters_of(replace(finding, raw=raw)) == {}


@pytest.mark.parametrize(
    "given",
    [
        80,
        "80",
        {"a": "80"},
        [None],
        [{"Name": "a"}],
        [{"Name": "a", "Value": "80"}],
        [{"Name": "a", "Value": [80]}],
    ],
)
def test_parameters_that_are_not_as_documented_are_refused(finding, given):
    malformed = replace(finding, raw={"Compliance": {"SecurityControlParameters": given}})
    with pytest.raises(CannotRemediateError, match="must be a list of objects of Name and Value"):
        controls.parameters_of(malformed)
