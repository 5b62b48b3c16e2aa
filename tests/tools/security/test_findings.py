"""What is found must be acknowledged, and what is acknowledged must be found."""

from __future__ import annotations

import json

import pytest

from tools.security.findings import (
    Acknowledgment,
    AcknowledgmentsError,
    Finding,
    compare,
    findings_of_checkov,
    findings_of_packs,
    read_acknowledgments,
)

QUEUE = Finding("CKV_AWS_27", "Stack/Queue/Resource", "Encrypt it")
TOPIC = Finding("CKV_AWS_26", "Stack/Topic/Resource", "Encrypt it")


def acknowledged(checks, resources):
    return Acknowledgment(checks, resources, "A reason for it")


def test_what_is_acknowledged_by_its_path_or_a_pattern_of_it_is_accepted():
    for pattern in ("Stack/Queue/Resource", "*/Queue/Resource", "*"):
        assert compare([QUEUE, QUEUE], [acknowledged(["CKV_AWS_27"], [pattern])]) == ([], [])


def test_another_check_of_the_resource_and_another_resource_of_the_check_are_not():
    others = [acknowledged(["CKV_AWS_27"], ["Stack/Other/Resource"]), acknowledged(["CKV_AWS_26"], ["*"])]
    found, _ = compare([QUEUE, TOPIC], others)
    assert found == [QUEUE]


def test_each_check_and_resource_that_is_acknowledged_in_vain_is_told():
    both = acknowledged(["CKV_AWS_27", "CKV_AWS_26"], ["Stack/Queue/*", "Stack/Topic/*"])
    assert compare([QUEUE, TOPIC], [both]) == (
        [],
        [("CKV_AWS_27", "Stack/Topic/*"), ("CKV_AWS_26", "Stack/Queue/*")],
    )


def test_of_two_acknowledgments_of_a_finding_none_is_in_vain():
    twice = [acknowledged(["CKV_AWS_27"], ["*"]), acknowledged(["CKV_AWS_27"], ["Stack/Queue/*"])]
    assert compare([QUEUE], twice) == ([], [])


def test_the_acknowledgments_of_the_app_can_be_read_and_name_each_pair_once():
    pairs = [
        (check, resource)
        for one in read_acknowledgments()
        for check in one.checks
        for resource in one.resources
    ]
    assert len(pairs) == len(set(pairs)) > 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('checks = ["A"]\nresources = ["*"]', "It needs checks, reason, resources"),
        ('checks = []\nresources = ["*"]\nreason = "A reason of some words here"', "none may be empty"),
        ('checks = ["A"]\nresources = ["*"]\nreason = "Not needed"', "no reason that a reader can judge"),
    ],
)
def test_an_acknowledgment_without_what_it_needs_is_refused(tmp_path, row, message):
    file = tmp_path / "acknowledgments.toml"
    file.write_text(f"[[acknowledged]]\n{row}")
    with pytest.raises(AcknowledgmentsError, match=message):
        read_acknowledgments(file)


def test_the_findings_of_cdk_nag_are_read_from_its_report_without_those_of_the_library(tmp_path):
    violation = {"description": "a\nb", "violatingConstructs": [{"constructPath": "Stack/Queue/Resource"}]}
    violations = [violation | {"ruleName": name} for name in ("HIPAA.Security-X", "Annotation::y")]
    report = {"pluginReports": [{"pluginName": "HIPAA.Security", "violations": violations}]}
    (tmp_path / "validation-report.json").write_text(json.dumps(report))
    assert findings_of_packs(tmp_path) == [Finding("HIPAA.Security-X", "Stack/Queue/Resource", "a b")]


@pytest.mark.parametrize("several", [True, False], ids=["several frameworks", "one framework"])
def test_the_findings_of_checkov_are_those_of_the_constructs(tmp_path, several):
    template = {"Resources": {"Queue": {"Metadata": {"aws:cdk:path": "Stack/Queue/Resource"}}}}
    (tmp_path / "Stack.template.json").write_text(json.dumps(template))
    failed = [
        {
            "check_id": "CKV_AWS_27",
            "check_name": "Encrypt it",
            "file_path": "/Stack.template.json",
            "resource": f"AWS::SQS::Queue.{logical_id}",
        }
        for logical_id in ("Queue", "Unknown")
    ]
    report = {"results": {"failed_checks": failed}}
    assert findings_of_checkov([report] if several else report, tmp_path) == [
        QUEUE,
        Finding("CKV_AWS_27", "Stack/Unknown", "Encrypt it"),
    ]
