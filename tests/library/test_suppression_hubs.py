"""What Security Hub is asked, and what its answers mean for suppressions that end."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from securityhub_actions.suppression_handler.ending import Found, RefusedError
from securityhub_actions.suppression_handler.hubs import Cspm, NewHub

MARKERS = "securityhub-actions/eu-west-1/Stack/"
PRODUCT = "arn:aws:securityhub:eu-west-1::product/aws/securityhub"


class FakeClient:
    """Security Hub's client, which answers with what it's given and remembers the requests."""

    def __init__(self, *, pages=(), unprocessed=()):
        self.pages, self.unprocessed, self.requests = pages, unprocessed, []

    def get_paginator(self, operation):
        self.requests.append(operation)
        return self

    def paginate(self, **request):
        self.requests.append(request)
        return [{"Findings": page} for page in self.pages]

    def batch_update_findings(self, **request):
        self.requests.append(request)
        return {"UnprocessedFindings": self.unprocessed}

    batch_update_findings_v2 = batch_update_findings


def asff(id_, **fields):
    note = {"UpdatedBy": f"{MARKERS}1f2e3d4c", "Text": "Fine"}
    return {"Id": id_, "ProductArn": PRODUCT, "RecordState": "ACTIVE", "Note": note, **fields}


def ocsf(uid, **fields):
    return {"metadata": {"uid": uid}, "comment": f"{MARKERS}1f2e3d4c: Fine: really", **fields}


def test_findings_of_cspm_that_passed_or_were_archived_are_settled():
    client = FakeClient(
        pages=[
            [asff("open", Compliance={"Status": "FAILED"}), asff("event")],
            [asff("passed", Compliance={"Status": "PASSED"}), asff("archived", RecordState="ARCHIVED")],
        ]
    )
    found = list(Cspm(client).suppressed(MARKERS, ["5a6b7c8d"]))
    assert [(one.identity["Id"], one.is_settled) for one in found] == [
        ("open", False),
        ("event", False),
        ("passed", True),
        ("archived", True),
    ]
    assert {(one.key, one.note) for one in found} == {("1f2e3d4c", "Fine")}
    assert client.requests[1]["Filters"]["NoteUpdatedBy"] == [
        {"Value": MARKERS, "Comparison": "PREFIX"},
        {"Value": f"{MARKERS}5a6b7c8d", "Comparison": "NOT_EQUALS"},
    ]


def test_findings_of_the_new_hub_that_passed_or_were_closed_are_settled():
    client = FakeClient(
        pages=[
            [
                ocsf("open", compliance={"status": "Fail"}, activity_name="Create"),
                ocsf("passed", compliance={"status": "Pass"}),
                ocsf("closed", activity_name="Close"),
            ]
        ]
    )
    found = list(NewHub(client).suppressed(MARKERS, []))
    assert [(one.identity, one.is_settled) for one in found] == [
        ("open", False),
        ("passed", True),
        ("closed", True),
    ]
    assert {(one.key, one.note) for one in found} == {("1f2e3d4c", "Fine: really")}


@pytest.mark.parametrize("hub", [Cspm, NewHub])
def test_no_request_has_more_than_20_values_of_a_field(hub):
    client = FakeClient()
    list(hub(client).suppressed(MARKERS, [f"{number:08x}" for number in range(50)]))
    filters = client.requests[1]["Filters"]
    found = filters.get("NoteUpdatedBy") or filters["CompositeFilters"][0]["StringFilters"]
    assert len(found) <= 20


@pytest.mark.parametrize(("is_settled", "status", "status_id"), [(False, "NEW", 1), (True, "RESOLVED", 4)])
def test_what_is_opened_is_new_or_resolved_and_says_why(is_settled, status, status_id):
    client, v2 = FakeClient(), FakeClient()
    identity = {"Id": "1", "ProductArn": PRODUCT}
    one = Found(identity=identity, key="k", note="Fine", is_settled=is_settled)
    assert Cspm(client).reopen([one], note="Ended", author="arn", is_settled=is_settled) == []
    assert client.requests == [
        {
            "FindingIdentifiers": [identity],
            "Workflow": {"Status": status},
            "Note": {"Text": "Ended", "UpdatedBy": "arn"},
        }
    ]
    other = Found(identity="uid", key="k", note="Fine", is_settled=is_settled)
    assert NewHub(v2).reopen([other], note="Ended", author="arn", is_settled=is_settled) == []
    assert v2.requests == [{"MetadataUids": ["uid"], "Comment": "Ended", "StatusId": status_id}]


@pytest.mark.parametrize("hub", [Cspm, NewHub])
@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("InvalidInputException", RefusedError),
        ("ValidationException", RefusedError),
        ("LimitExceededException", ClientError),
    ],
)
def test_a_request_is_refused_if_it_is_because_of_what_it_contains(hub, code, raised):
    class Client:
        def batch_update_findings(self, **_):
            raise ClientError({"Error": {"Code": code, "Message": "No"}}, "BatchUpdateFindings")

        batch_update_findings_v2 = batch_update_findings

    one = Found(identity={"Id": "1", "ProductArn": PRODUCT}, key="k", note="Fine", is_settled=False)
    with pytest.raises(raised, match=code):
        hub(Client()).reopen([one], note="Ended", author="arn", is_settled=False)


def test_what_is_not_updated_is_reported_unless_it_is_gone():
    identities = [{"Id": str(number), "ProductArn": PRODUCT} for number in range(3)]
    codes = ("FindingNotFound", "ConcurrentUpdateError", "InvalidInput")
    client = FakeClient(
        unprocessed=[
            {"FindingIdentifier": identity, "ErrorCode": code, "ErrorMessage": "No"}
            for identity, code in zip(identities, codes, strict=True)
        ]
    )
    findings = [Found(identity=one, key="k", note="", is_settled=False) for one in identities]
    failed = Cspm(client).reopen(findings, note="Ended", author="arn", is_settled=False)
    assert [(one.found.identity["Id"], one.reason, one.is_retryable) for one in failed] == [
        ("1", "ConcurrentUpdateError: No", True),
        ("2", "InvalidInput: No", False),
    ]
