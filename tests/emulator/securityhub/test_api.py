from __future__ import annotations

import asyncio
import json
import re

import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from ministack.core.responses import request_scope

from emulator.securityhub import api, state
from emulator.securityhub.model import service_model
from tests.emulator.securityhub.shapes import ACCOUNT, JSON_VALUES, REGION, values_of
from tests.hypothesis_profiles import examples


def assert_model_has(operation, answer):
    """The answer is what the output of the operation allows, with no member more."""
    report = ParamValidator().validate(answer, service_model().operation_model(operation).output_shape)
    assert not report.has_errors(), report.generate_report()


def answer_to(method, path, body):
    with request_scope(ACCOUNT, REGION):
        return asyncio.run(api.handle_request(method, path, {}, body, {}))


@pytest.fixture(autouse=True)
def hub():
    answer_to("POST", "/accounts", b"{}")
    answer_to("POST", "/hubv2", b"{}")
    yield
    state.reset()


@pytest.mark.parametrize(
    "operation",
    [
        "CreateActionTarget",
        "BatchImportFindings",
        "BatchUpdateFindings",
        "GetFindings",
        "CreateInsight",
        "BatchUpdateFindingsV2",
        "GetFindingsV2",
        "CreateAutomationRuleV2",
        "EnableSecurityHubV2",
    ],
)
def test_whatever_is_sent_is_taken_or_refused_with_an_error_of_the_model(operation):
    model = service_model().operation_model(operation)
    requests = values_of(model.input_shape) | JSON_VALUES

    @examples(0.25)
    @given(requests)
    def answered(request):
        status, headers, body = answer_to(
            model.http["method"], model.http["requestUri"], json.dumps(request).encode()
        )
        if status != 200:
            error = headers["x-amzn-errortype"]
            assert error in {shape.name for shape in model.error_shapes}
            assert json.loads(body)["Message"]
        else:
            assert_model_has(operation, json.loads(body))

    answered()


def test_a_body_that_is_not_json_is_invalid_input():
    for body in (b"{", b"\xff", b"[]"):
        status, headers, _ = answer_to("POST", "/actionTargets", body)
        assert (status, headers["x-amzn-errortype"]) == (400, "InvalidInputException")


def test_null_means_absent():
    request = {"Filters": {"Title": None}, "SortCriteria": None, "NextToken": None}
    status, _, body = answer_to("POST", "/findings", json.dumps(request).encode())
    assert (status, json.loads(body)) == (200, {"Findings": []})


def test_every_problem_of_a_request_is_named():
    request = {"FindingIdentifiers": [{"Id": 7}], "Confidence": "high", "Workflow": {"Status": "DONE"}}
    _, _, body = answer_to("PATCH", "/findings/batchupdate", json.dumps(request).encode())
    message = json.loads(body)["Message"]
    for problem in (
        "FindingIdentifiers[0].ProductArn is required",
        "FindingIdentifiers[0].Id must be of type string, but is 7",
        "Confidence must be of type integer, but is 'high'",
        "Workflow.Status must be one of NEW, NOTIFIED, RESOLVED, SUPPRESSED, but is 'DONE'",
    ):
        assert problem in message


def test_an_arn_in_a_path_reaches_the_operation_whole():
    arn = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:action/custom/Missing"
    status, _, body = answer_to("DELETE", f"/actionTargets/{arn}", b"")
    assert status == 404
    assert json.loads(body)["Message"] == f"Action target {arn} does not exist"


PRODUCT = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
IMPORTED = {
    "SchemaVersion": "2018-10-08",
    "Id": "finding-1",
    "ProductArn": PRODUCT,
    "GeneratorId": "scanner",
    "AwsAccountId": ACCOUNT,
    "Types": ["TTPs"],
    "CreatedAt": "2026-01-01T00:00:00Z",
    "UpdatedAt": "2026-01-01T00:00:00Z",
    "Severity": {"Label": "HIGH"},
    "Title": "Port open",
    "Description": "A port is open",
    "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::logs"}],
}
RULE = {
    "RuleName": "rule",
    "Description": "Comment on everything",
    "RuleOrder": 1,
    "Criteria": {"OcsfFindingCriteria": {}},
    "Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": {"Comment": "Seen"}}],
}


def test_what_is_answered_is_in_the_model_too():
    answers = {}

    def answered(operation, **request):
        with request_scope(ACCOUNT, REGION):
            answers[operation] = api.call(operation, request)
        assert_model_has(operation, answers[operation])
        return answers[operation]

    answered("CreateActionTarget", Name="n", Description="d", Id="a")
    answered("DescribeActionTargets")
    answered("DescribeHub")
    answered("BatchImportFindings", Findings=[IMPORTED, {"Id": "no finding"}])
    answered("GetFindings")
    identifier = {"Id": "finding-1", "ProductArn": PRODUCT}
    missing = identifier | {"Id": "missing"}
    answered("BatchUpdateFindings", FindingIdentifiers=[identifier, missing], Confidence=1)
    insight = answered("CreateInsight", Name="n", Filters={}, GroupByAttribute="Id")["InsightArn"]
    answered("GetInsights")
    answered("GetInsightResults", InsightArn=insight)
    answered("DescribeSecurityHubV2")
    (finding,) = answered("GetFindingsV2", MaxResults=1)["Findings"]
    uids = [finding["metadata"]["uid"], "missing"]
    answered("BatchUpdateFindingsV2", MetadataUids=uids, Comment="Seen")
    identifiers = [
        {"CloudAccountUid": ACCOUNT, "FindingInfoUid": one, "MetadataProductUid": one} for one in uids
    ]
    answered("BatchUpdateFindingsV2", FindingIdentifiers=identifiers, StatusId=4)
    rule = answered("CreateAutomationRuleV2", **RULE)["RuleArn"]
    answered("GetAutomationRuleV2", Identifier=rule)
    answered("ListAutomationRulesV2")
    answered("UpdateAutomationRuleV2", Identifier=rule, RuleStatus="DISABLED")
    answered("DeleteAutomationRuleV2", Identifier=rule)
    assert answers["BatchUpdateFindings"]["UnprocessedFindings"]
    assert answers["BatchUpdateFindingsV2"]["UnprocessedFindings"]


def test_each_operation_is_found_by_its_path_also_with_the_slashes_of_an_arn():
    for name in service_model().operation_names:
        http = service_model().operation_model(name).http
        path = re.sub(
            r"\{\w+\+?\}", "arn:aws:securityhub:eu-west-1::a/b/c", http["requestUri"].partition("?")[0]
        )
        found, parameters = api._route(http["method"], path)
        assert found.name == name
        assert set(parameters.values()) <= {"arn:aws:securityhub:eu-west-1::a/b/c"}
