"""What Security Hub is asked, and what its answers mean for suppressions that end."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from securityhub_actions.suppression_handler.hubs import Cspm, NewHub
from securityhub_actions.suppression_handler.model import Found, RefusedError

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


class FakeRules:
    """A client of a Security Hub with rules, whose list has two pages."""

    def __init__(self, *rules, unprocessed=()):
        self.rules, self.unprocessed = rules, unprocessed

    def list_automation_rules(self, *, MaxResults, NextToken=None):  # noqa: N803 - boto3's
        assert MaxResults == 100
        pages = {None: ([], "second"), "second": (self.rules, "")}
        rules, more = pages[NextToken]
        return {"AutomationRulesMetadata": rules, **({"NextToken": more} if more else {})}

    def batch_get_automation_rules(self, *, AutomationRulesArns):  # noqa: N803 - boto3's
        found = [one for one in self.rules if one["RuleArn"] in AutomationRulesArns]
        return {"Rules": found, "UnprocessedAutomationRules": self.unprocessed}

    def get_automation_rule_v2(self, *, Identifier):  # noqa: N803 - boto3's
        for one in self.rules:
            if one["RuleArn"] == Identifier:
                return one
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "No"}}, "Get")


RULE = {"RuleArn": "arn", "RuleStatus": "ENABLED", "Description": "Why", "Criteria": {"Title": ["x"]}}
NOTE = {"FindingFieldsUpdate": {"Note": {"Text": "Fine", "UpdatedBy": f"{MARKERS}1f2e3d4c.now"}}}
COMMENT = {"FindingFieldsUpdate": {"Comment": f"{MARKERS}1f2e3d4c.now: Fine: really"}}


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
    one = Found(identity=identity, key="k", digest="", note="Fine", is_settled=is_settled)
    assert Cspm(client).reopen([one], note="Ended", author="arn", is_settled=is_settled) == []
    assert client.requests == [
        {
            "FindingIdentifiers": [identity],
            "Workflow": {"Status": status},
            "Note": {"Text": "Ended", "UpdatedBy": "arn"},
        }
    ]
    other = Found(identity="uid", key="k", digest="", note="Fine", is_settled=is_settled)
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

    one = Found(
        identity={"Id": "1", "ProductArn": PRODUCT}, key="k", digest="", note="Fine", is_settled=False
    )
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
    findings = [Found(identity=one, key="k", digest="", note="", is_settled=False) for one in identities]
    failed = Cspm(client).reopen(findings, note="Ended", author="arn", is_settled=False)
    assert [(one.found.identity["Id"], one.reason, one.is_retryable) for one in failed] == [
        ("1", "ConcurrentUpdateError: No", True),
        ("2", "InvalidInput: No", False),
    ]


@pytest.mark.parametrize("hub", [Cspm, NewHub])
@pytest.mark.parametrize(
    ("changed", "description"),
    [({}, "Why"), ({"RuleStatus": "DISABLED"}, None), ({"RuleArn": "other"}, None)],
)
def test_a_rule_is_enabled_or_disabled_or_does_not_exist(hub, changed, description):
    assert hub(FakeRules(RULE | changed)).description_if_enabled("arn") == description


def test_a_rule_that_security_hub_did_not_process_still_exists():
    client = FakeRules(RULE)
    client.batch_get_automation_rules = lambda **_: {
        "Rules": [],
        "UnprocessedAutomationRules": [{"RuleArn": "arn", "ErrorCode": 500, "ErrorMessage": "Busy"}],
    }
    assert Cspm(client).description_if_enabled("arn") == "Why"
    with pytest.raises(LookupError, match="Busy"):
        Cspm(client).rule("arn")


@pytest.mark.parametrize(("hub", "action"), [(Cspm, NOTE), (NewHub, COMMENT)])
def test_a_rule_says_what_it_writes_and_whose_findings_it_does_to(hub, action):
    rule = hub(FakeRules(RULE | {"Actions": [action]})).rule("arn")
    assert (rule.marker, rule.criteria) == (f"{MARKERS}1f2e3d4c.now", {"Title": ["x"]})
    other = hub(FakeRules(RULE | {"Actions": [{"Type": "EXTERNAL_INTEGRATION"}]})).rule("arn")
    assert other.marker == ""
    with pytest.raises(LookupError, match="gone"):
        hub(FakeRules()).rule("gone")


def test_markers_have_the_digest_of_a_filter_unless_an_earlier_version_wrote_them():
    notes = [{"UpdatedBy": f"{MARKERS}1f2e3d4c{digest}", "Text": "Fine"} for digest in (".5a6b7c8d", "")]
    found = Cspm(FakeClient(pages=[[asff("1", Note=one) for one in notes]])).suppressed(MARKERS, [])
    assert [(one.key, one.digest) for one in found] == [("1f2e3d4c", "5a6b7c8d"), ("1f2e3d4c", "")]
    comments = [f"{one['UpdatedBy']}: Fine. Really: yes" for one in notes]
    v2 = NewHub(FakeClient(pages=[[ocsf("1") | {"comment": one} for one in comments]]))
    assert [(one.key, one.digest, one.note) for one in v2.suppressed(MARKERS, [])] == [
        ("1f2e3d4c", "5a6b7c8d", "Fine. Really: yes"),
        ("1f2e3d4c", "", "Fine. Really: yes"),
    ]


def test_what_stays_suppressed_gets_the_marker_and_keeps_its_status_and_text():
    client, v2 = FakeClient(), FakeClient()
    identity = {"Id": "1", "ProductArn": PRODUCT}
    one = Found(identity=identity, key="k", digest="", note="Fine", is_settled=False)
    assert Cspm(client).mark([one], note="Fine", marker="m/k.now") == []
    assert client.requests == [
        {"FindingIdentifiers": [identity], "Note": {"Text": "Fine", "UpdatedBy": "m/k.now"}}
    ]
    other = Found(identity="uid", key="k", digest="", note="Fine", is_settled=False)
    assert NewHub(v2).mark([other], note="x" * 600, marker="m/k.now") == []
    assert v2.requests == [{"MetadataUids": ["uid"], "Comment": "m/k.now: " + "x" * 503}]
