from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from securityhub.events import parse_event
from securityhub.findings.client import SecurityHub, create_client
from securityhub.findings.updates import RequestRefusedError


@pytest.fixture
def findings(load_event, fake_security_hub):
    given = load_event("custom_action_20_findings")
    fake_security_hub.import_findings(given["detail"]["findings"])
    return parse_event(given).findings


@pytest.fixture
def security_hub(fake_security_hub, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    return SecurityHub(fake_security_hub.attach(create_client()))


def update(security_hub, findings):
    return security_hub.batch_update_findings(
        findings, workflow_status="NOTIFIED", note_text="A note", note_updated_by="arn:example"
    )


def test_status_and_note_are_written_to_the_identified_findings(security_hub, fake_security_hub, findings):
    assert update(security_hub, findings) == []

    assert fake_security_hub.requests[0]["FindingIdentifiers"] == [
        {"Id": finding.id, "ProductArn": finding.product_arn} for finding in findings
    ]
    for finding in findings:
        stored = fake_security_hub.finding(finding.raw)
        assert stored["Workflow"] == {"Status": "NOTIFIED"}
        assert stored["Note"] == {"Text": "A note", "UpdatedBy": "arn:example"}


def test_an_unprocessed_finding_comes_back_with_its_reason(security_hub, fake_security_hub, findings):
    fake_security_hub.unprocessed[findings[5].id] = ["ConcurrentUpdateError"]

    (item,) = update(security_hub, findings)

    assert item.finding is findings[5]
    assert item.error_code == "ConcurrentUpdateError"
    assert item.error_message == "Because: ConcurrentUpdateError"


@pytest.mark.parametrize(
    ("refusal", "cure"),
    [
        ((403, "AccessDeniedException"), "Allow securityhub:BatchUpdateFindings in the function's role"),
        ((401, "InvalidAccessException"), "Enable Security Hub in this account and Region"),
        ((400, "InvalidInputException"), "Check the text of the note"),
    ],
)
def test_a_refused_request_says_how_to_cure_it(security_hub, fake_security_hub, findings, refusal, cure):
    fake_security_hub.refusals = [(*refusal, "No")]

    with pytest.raises(RequestRefusedError, match=cure) as caught:
        update(security_hub, findings)

    assert caught.value.code == refusal[1]
    assert len(fake_security_hub.requests) == 1


@pytest.mark.parametrize(("status", "code"), [(500, "InternalException"), (429, "LimitExceededException")])
def test_a_passing_refusal_is_tried_again(security_hub, fake_security_hub, findings, status, code):
    fake_security_hub.refusals = [(status, code, "Later")] * 2

    assert update(security_hub, findings) == []
    assert len(fake_security_hub.requests) == 3


def test_a_refusal_that_does_not_pass_is_given_up_after_4_requests(security_hub, fake_security_hub, findings):
    fake_security_hub.refusals = [(429, "LimitExceededException", "Later")] * 10

    with pytest.raises(RequestRefusedError, match="throttles the account"):
        update(security_hub, findings)

    assert len(fake_security_hub.requests) == 4


def test_an_unreachable_service_is_a_refusal(findings, monkeypatch):
    client = create_client()

    def fail(**_):
        raise EndpointConnectionError(endpoint_url="https://securityhub.example")

    monkeypatch.setattr(client, "batch_update_findings", fail)

    with pytest.raises(RequestRefusedError, match="could not be reached") as caught:
        update(SecurityHub(client), findings)

    assert caught.value.code == "EndpointConnectionError"


def test_a_note_without_a_status_leaves_the_status_as_it_is(security_hub, fake_security_hub, findings):
    security_hub.batch_update_findings(
        findings, workflow_status=None, note_text="A note", note_updated_by="arn:example"
    )
    assert "Workflow" not in fake_security_hub.requests[0]


def test_user_defined_fields_are_written_where_they_are_given(security_hub, fake_security_hub, findings):
    update(security_hub, findings[:1])
    assert "UserDefinedFields" not in fake_security_hub.requests[0]
    security_hub.batch_update_findings(
        findings[:1],
        workflow_status=None,
        note_text="A note",
        note_updated_by="arn:example",
        user_defined_fields={"team": "payments"},
    )
    assert fake_security_hub.finding(findings[0].raw)["UserDefinedFields"] == {"team": "payments"}


def test_a_finding_is_read_as_it_is_now(security_hub, fake_security_hub, findings):
    stored = fake_security_hub.finding({"ProductArn": findings[0].product_arn, "Id": findings[0].id})
    stored["Workflow"] = {"Status": "SUPPRESSED"}
    found = security_hub.get_finding(findings[0])
    assert (found.id, found.workflow_status) == (findings[0].id, "SUPPRESSED")


def test_a_finding_that_is_gone_is_none(security_hub, fake_security_hub, findings):
    fake_security_hub.findings.clear()
    assert security_hub.get_finding(findings[0]) is None


def test_a_finding_that_may_not_be_read_says_which_action_is_missing(
    security_hub, fake_security_hub, findings
):
    fake_security_hub.refusals = [(403, "AccessDeniedException", "No")] * 4
    with pytest.raises(RequestRefusedError, match="Allow securityhub:GetFindings in the function's role"):
        security_hub.get_finding(findings[0])
