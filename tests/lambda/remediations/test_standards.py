from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.registry import all_remediations
from remediations.standards import NUMBERS, control_of_generator

CIS = "cis-aws-foundations-benchmark/v"
CIS_1_2 = "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule"


@pytest.mark.parametrize(
    ("generator", "control"),
    [
        ("security-control/EC2.13", "EC2.13"),
        (f"{CIS_1_2}/4.1", "EC2.13"),
        (f"{CIS_1_2.replace('aws:', 'aws-cn:', 1)}/4.1", "EC2.13"),
        (f"{CIS}/1.4.0/5.3", "EC2.2"),
        (f"{CIS}/3.0.0/2.1.4.1", "S3.1"),
        (f"{CIS}/3.0.0/2.1.4.2", "S3.8"),
        (f"{CIS}/3.0.0/2.2.1", "EC2.7"),
        (f"{CIS}/5.0.0/5.1.1", "EC2.7"),
        (f"{CIS}/1.4.0/3.2", "CloudTrail.4"),
        (f"{CIS}/3.0.0/3.2", "CloudTrail.4"),
        (f"{CIS}/5.0.0/3.2", "CloudTrail.4"),
        (f"{CIS}/5.0.0/3.5", "CloudTrail.2"),
        ("pci-dss/v/3.2.1/PCI.EC2.5", "EC2.13"),
        ("aws-foundational-security-best-practices/v/1.0.0/S3.8", "S3.8"),
        ("nist-800-53/v/5.0.0/CloudTrail.2", "CloudTrail.2"),
        ("nist-800-171/v/2.0.0/CloudTrail.2", "CloudTrail.2"),
        ("service-managed-aws-control-tower/v/1.0.0/EC2.7", "EC2.7"),
    ],
)
def test_the_number_of_each_standard_stands_for_its_control(generator, control):
    assert control_of_generator(generator) == control


def test_the_same_number_of_two_versions_stands_for_what_it_does_in_each():
    numbers = [f"{CIS_1_2}/1.8", f"{CIS}/1.4.0/1.8", f"{CIS}/5.0.0/1.8"]
    assert [control_of_generator(one) for one in numbers] == ["IAM.14", "IAM.15", "IAM.16"]


@pytest.mark.parametrize(
    "generator",
    [
        "",
        "EC2.13",
        "4.1",
        f"{CIS_1_2}/3.14",
        f"{CIS}/2.0.0/4.1",
        f"{CIS}/3.0.0/2.1.4",
        "pci-dss/v/3.2.1/PCI.S3.4",
        "pci-dss/v/4.0.1/EC2.13.1",
        "my-standard/v/1.0.0/EC2.13",
        "arn:aws:securityhub:::ruleset/EC2.13",
    ],
)
def test_a_number_that_is_not_known_stands_for_nothing(generator):
    assert control_of_generator(generator) is None


@given(st.text())
def test_any_text_is_a_control_or_none(text):
    assert control_of_generator(text) is None or "/" in text


@pytest.mark.parametrize("standard", NUMBERS)
def test_every_number_leads_to_a_control_that_a_remediation_serves(standard):
    served = {control for one in all_remediations().values() for control in one.control_ids}
    assert set(NUMBERS[standard].values()) <= served
