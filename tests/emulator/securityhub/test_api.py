from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.core.responses import request_scope

from emulator.securityhub import api, state
from emulator.securityhub.model import service_model
from tests.hypothesis_profiles import examples

ACCOUNT, REGION = "500000000001", "eu-west-1"
TEXTS = (
    "2026-01-01T00:00:00Z",
    "2018-10-08",
    ACCOUNT,
    f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default",
    "ResourceId",
    "10.0.0.0/8",
    "",
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=5,
)
DEEPEST = 4


def values_of(shape, depth=0):
    """Requests that look right, so that they get past the first check."""
    if depth > DEEPEST:
        return JSON_VALUES
    kinds = {
        "structure": lambda: structures_of(shape, depth),
        "list": lambda: st.lists(values_of(shape.member, depth + 1), max_size=2),
        "map": lambda: st.dictionaries(st.text(max_size=8), values_of(shape.value, depth + 1), max_size=2),
        "string": lambda: st.sampled_from([*shape.enum, *TEXTS]),
        "boolean": st.booleans,
    }
    return kinds.get(shape.type_name, st.integers)()


def structures_of(shape, depth):
    members = {name: values_of(member, depth + 1) for name, member in shape.members.items()}
    required = {name: members[name] for name in shape.required_members}
    optional = {name: values | JSON_VALUES for name, values in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def answer_to(method, path, body):
    with request_scope(ACCOUNT, REGION):
        return asyncio.run(api.handle_request(method, path, {}, body, {}))


@pytest.fixture(autouse=True)
def hub():
    answer_to("POST", "/accounts", b"{}")
    yield
    state.reset()


@pytest.mark.parametrize(
    "operation",
    ["CreateActionTarget", "BatchImportFindings", "BatchUpdateFindings", "GetFindings", "CreateInsight"],
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
