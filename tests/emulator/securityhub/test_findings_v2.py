from __future__ import annotations

import pytest

from tests.emulator.securityhub.account import refused

V2 = "Findings Imported V2"


@pytest.fixture
def account(account):
    account.hub.enable_security_hub_v2()
    return account


def found(account, **request):
    return account.hub.get_findings_v2(**request)["Findings"]


def only(account):
    (finding,) = found(account)
    return finding


def uid_of(account):
    return only(account)["metadata"]["uid"]


def identifier_of(finding):
    return {
        "CloudAccountUid": finding["cloud"]["account"]["uid"],
        "FindingInfoUid": finding["finding_info"]["uid"],
        "MetadataProductUid": finding["metadata"]["product"]["uid"],
    }


def severity_is(value):
    condition = {"FieldName": "severity", "Filter": {"Value": value, "Comparison": "EQUALS"}}
    return {"CompositeFilters": [{"StringFilters": [condition]}]}


class TestGet:
    def test_findings_are_in_ocsf_and_chosen_by_the_filter(self, account):
        account.imported("a")
        account.imported("b", Severity={"Label": "LOW"})
        (finding,) = found(account, Filters=severity_is("Low"))
        assert finding["finding_info"]["uid"] == "b"
        assert finding["resources"][0]["type"] == "AWS::S3::Bucket"

    def test_pages_together_hold_every_finding_once(self, account):
        for number in range(5):
            account.imported(f"finding-{number}")
        pages = account.hub.get_paginator("get_findings_v2").paginate(PaginationConfig={"PageSize": 2})
        uids = [finding["finding_info"]["uid"] for page in pages for finding in page["Findings"]]
        assert uids == [f"finding-{number}" for number in range(5)]

    def test_findings_are_sorted(self, account):
        account.imported("a", Severity={"Label": "LOW"})
        account.imported("b", Severity={"Label": "HIGH"})
        chosen = found(account, SortCriteria=[{"Field": "severity_id", "SortOrder": "desc"}])
        assert [finding["severity"] for finding in chosen] == ["High", "Low"]

    def test_a_token_of_another_listing_is_refused(self, account):
        refused("ValidationException", account.hub.get_findings_v2, NextToken="x")

    def test_a_filter_that_cannot_be_evaluated_is_refused(self, account):
        filters = {"CompositeFilters": [{}] * 11}
        refused("ValidationException", account.hub.get_findings_v2, Filters=filters)

    def test_scopes_are_for_the_delegated_administrator(self, account):
        scopes = {"AwsOrganizations": [{"OrganizationId": "o-1"}]}
        refused("AccessDeniedException", account.hub.get_findings_v2, Scopes=scopes)


class TestBatchUpdate:
    def test_an_update_by_uid_is_stored_and_sent(self, account):
        account.imported()
        before = only(account)
        receive = account.listen()
        answer = account.hub.batch_update_findings_v2(
            MetadataUids=[before["metadata"]["uid"]], Comment="Seen", SeverityId=2, StatusId=3
        )
        assert answer["ProcessedFindings"] == [{"MetadataUid": before["metadata"]["uid"]}]
        assert answer["UnprocessedFindings"] == []
        (event,) = receive(1)
        (sent,) = event["detail"]["findings"]
        assert (event["detail-type"], event["resources"]) == (V2, [before["metadata"]["uid"]])
        assert sent == only(account)
        assert (sent["comment"], sent["severity"], sent["status"]) == ("Seen", "Low", "Suppressed")
        assert sent["vendor_attributes"] == before["vendor_attributes"]
        assert sent["activity_name"] == "Update"
        for unchanged in ("time", "time_dt"):
            assert sent[unchanged] == before[unchanged]

    def test_an_update_by_identifier_finds_the_same_finding(self, account):
        account.imported("a")
        account.imported("b")
        first, _ = found(account)
        identifier = identifier_of(first)
        answer = account.hub.batch_update_findings_v2(FindingIdentifiers=[identifier], StatusId=4)
        assert answer["ProcessedFindings"] == [{"FindingIdentifier": identifier}]
        assert [finding["status"] for finding in found(account)] == ["Resolved", "New"]

    def test_a_missing_finding_is_unprocessed_and_the_others_are_not_held_up(self, account):
        account.imported()
        uid = uid_of(account)
        answer = account.hub.batch_update_findings_v2(MetadataUids=["missing", uid], StatusId=4)
        assert answer["ProcessedFindings"] == [{"MetadataUid": uid}]
        (unprocessed,) = answer["UnprocessedFindings"]
        assert unprocessed["MetadataUid"] == "missing"
        assert unprocessed["ErrorCode"] == "ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ("FindingNotFound", "ResourceNotFoundException"),
            ("ConflictException", "ConflictException"),
            ("InternalException", "InternalServerException"),
        ],
    )
    def test_a_marked_finding_stays_unprocessed_with_a_code_of_this_operation(self, account, given, code):
        account.fault(finding=account.imported(), error=given)
        answer = account.hub.batch_update_findings_v2(MetadataUids=[uid_of(account)], StatusId=4)
        assert answer["UnprocessedFindings"][0]["ErrorCode"] == code
        assert only(account)["status"] == "New"

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            ({"Comment": "x"}, "either MetadataUids or FindingIdentifiers"),
            ({"MetadataUids": [], "Comment": "x"}, "either MetadataUids or FindingIdentifiers"),
            (
                {
                    "MetadataUids": ["a"],
                    "FindingIdentifiers": [
                        {"CloudAccountUid": "a", "FindingInfoUid": "a", "MetadataProductUid": "a"}
                    ],
                    "Comment": "x",
                },
                "either MetadataUids or FindingIdentifiers",
            ),
            ({"MetadataUids": ["a"]}, "Nothing is changed"),
            ({"MetadataUids": ["a"] * 101, "StatusId": 4}, "0 to 100 entries, but is 101"),
            ({"MetadataUids": ["a"], "Comment": "x" * 513}, "up to 512 characters, but has 513"),
            (
                {"MetadataUids": ["a"], "StatusId": 6},
                "StatusId must be one of 0, 1, 2, 3, 4, 5, 99, but is 6",
            ),
            ({"MetadataUids": ["a"], "SeverityId": 7}, "SeverityId must be one of 0, 1, 2, 3, 4, 5, 6, 99"),
        ],
    )
    def test_a_request_that_aws_refuses_is_refused(self, account, request_, reason):
        answer = refused("ValidationException", account.hub.batch_update_findings_v2, **request_)
        assert reason in answer["Error"]["Message"]

    def test_security_hub_cspm_keeps_its_own_and_what_it_changes_later_holds(self, account):
        finding = account.imported()
        account.hub.batch_update_findings_v2(MetadataUids=[uid_of(account)], StatusId=3, Comment="Seen")
        assert account.stored()["Workflow"] == {"Status": "NEW"}
        account.update(finding, Workflow={"Status": "RESOLVED"})
        assert (only(account)["status"], only(account)["comment"]) == ("Resolved", "Seen")

    def test_an_update_of_the_provider_leaves_what_the_customer_changed(self, account):
        account.imported()
        account.hub.batch_update_findings_v2(MetadataUids=[uid_of(account)], StatusId=3, SeverityId=1)
        account.imported(UpdatedAt="2026-02-01T00:00:00Z", Title="Still open")
        stored = only(account)
        assert (stored["status"], stored["severity"]) == ("Suppressed", "Informational")
        assert (stored["finding_info"]["title"], stored["activity_name"]) == ("Still open", "Update")


def test_without_the_new_security_hub_nothing_of_it_works_and_no_event_is_sent(account):
    account.hub.disable_security_hub_v2()
    receive = account.listen()
    finding = account.imported()
    account.update(finding, Workflow={"Status": "NOTIFIED"})
    assert {event["detail-type"] for event in receive(2)} == {"Security Hub Findings - Imported"}
    refused("AccessDeniedException", account.hub.get_findings_v2)
    refused("AccessDeniedException", account.hub.batch_update_findings_v2, MetadataUids=["a"], StatusId=4)


def test_the_new_security_hub_works_without_security_hub_cspm(account):
    account.imported()
    account.hub.disable_security_hub()
    account.hub.batch_update_findings_v2(MetadataUids=[uid_of(account)], StatusId=4)
    assert only(account)["status"] == "Resolved"
