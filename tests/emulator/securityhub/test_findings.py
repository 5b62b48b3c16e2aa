from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.emulator.securityhub.account import REGION, refused


class TestImport:
    def test_security_hub_completes_a_finding(self, account):
        account.imported()
        stored = account.stored()
        assert stored["Workflow"] == {"Status": "NEW"}
        assert stored["RecordState"] == "ACTIVE"
        assert stored["Severity"] == {"Label": "HIGH", "Normalized": 70}
        assert stored["FindingProviderFields"]["Severity"] == {"Label": "HIGH"}
        assert (stored["ProductName"], stored["CompanyName"]) == ("Default", "Personal")

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"SchemaVersion": "2020"}, "SchemaVersion must be 2018-10-08"),
            ({"Title": "x" * 257}, "Title may have up to 256"),
            ({"UpdatedAt": "yesterday"}, "UpdatedAt must be an ISO 8601"),
            ({"UpdatedAt": "2026-01-01T00:00:00"}, "with a time zone"),
            ({"Resources": []}, "Resources must have at least one"),
            ({"Severity": {}}, "Severity needs"),
            ({"Severity": {"Label": "AWFUL"}}, "Severity.Label must be one of"),
            ({"Types": []}, "Types is required"),
            ({"AwsAccountId": "123"}, "AwsAccountId must be 12 digits"),
            ({"AwsAccountId": "999999999999"}, "cannot send findings of account 999999999999"),
            ({"ProductArn": "me"}, "ProductArn must be the ARN of a product"),
            ({"ProductFields": {"x": "y" * 250_000}}, "up to 240 KB"),
            ({"Types": ["A/B/C/D"]}, "Types[0] should match pattern"),
            ({"FindingProviderFields": {"Types": ["A/B/C/D"]}}, "Types[0] should match pattern"),
            ({"Types": ["Effects/"]}, "Types[0] should match pattern"),
            (
                {"Remediation": {"Recommendation": {"Text": "x" * 513}}},
                "Remediation.Recommendation.Text should not be longer than 512 characters",
            ),
            ({"Title": " "}, "Title must not be blank"),
            ({"ProductFields": {" ": "value"}}, "ProductFields key must not be blank"),
        ],
    )
    def test_a_finding_that_is_not_in_the_format_fails_alone(self, account, change, reason):
        good, bad = account.finding("good"), account.finding("bad") | change
        answer = account.hub.batch_import_findings(Findings=[good, bad])
        assert (answer["SuccessCount"], answer["FailedCount"]) == (1, 1)
        (failure,) = answer["FailedFindings"]
        assert (failure["Id"], failure["ErrorCode"]) == ("bad", "InvalidInput")
        assert reason in failure["ErrorMessage"]

    def test_an_integrated_product_may_send_findings_of_other_accounts(self, account):
        product_arn = f"arn:aws:securityhub:{REGION}::product/aws/guardduty"
        account.imported(ProductArn=product_arn, AwsAccountId="999999999999")
        stored = account.stored()
        assert (stored["AwsAccountId"], stored["ProductName"]) == ("999999999999", "GuardDuty")
        assert stored["CompanyName"] == "AWS"

    def test_blank_entries_of_maps_are_stored(self, account):
        other = {"Type": "Other", "Id": "x", "Details": {"Other": {"Version": ""}}}
        account.imported(ProductFields={"aws/guardduty/service/additionalInfo/value": ""}, Resources=[other])
        stored = account.stored()
        assert stored["ProductFields"]["aws/guardduty/service/additionalInfo/value"] == ""
        assert stored["Resources"] == [other]

    def test_a_recommendation_of_512_characters_is_taken(self, account):
        account.imported(Remediation={"Recommendation": {"Text": "x" * 512}})
        assert len(account.stored()["Remediation"]["Recommendation"]["Text"]) == 512

    def test_a_control_that_passes_is_resolved_and_one_that_fails_again_is_new(self, account):
        control = {"ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub"}
        statuses = []
        for day, status in enumerate(("PASSED", "FAILED", "PASSED"), start=1):
            account.imported(**control, Compliance={"Status": status}, UpdatedAt=f"2026-01-0{day}T00:00:00Z")
            statuses.append(account.stored()["Workflow"]["Status"])
        assert statuses == ["RESOLVED", "NEW", "RESOLVED"]

    def test_a_suppressed_control_stays_suppressed_when_it_passes(self, account):
        control = {"ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub"}
        finding = account.imported(**control, Compliance={"Status": "FAILED"})
        account.update(finding, Workflow={"Status": "SUPPRESSED"})
        account.imported(**control, Compliance={"Status": "PASSED"}, UpdatedAt="2026-01-02T00:00:00Z")
        assert account.stored()["Workflow"]["Status"] == "SUPPRESSED"

    def test_more_than_100_findings_are_refused(self, account):
        batch = [account.finding(f"finding-{number}") for number in range(101)]
        refused("InvalidInputException", account.hub.batch_import_findings, Findings=batch)

    def test_a_provider_never_overwrites_what_the_customer_wrote(self, account):
        finding = account.imported()
        account.update(
            finding,
            Workflow={"Status": "SUPPRESSED"},
            Note={"Text": "known", "UpdatedBy": "me"},
            UserDefinedFields={"ticket": "7"},
            VerificationState="FALSE_POSITIVE",
            Severity={"Label": "LOW"},
        )
        account.imported(
            UpdatedAt="2026-02-01T00:00:00Z",
            Title="Port still open",
            Workflow={"Status": "NEW"},
            Note={"Text": "mine", "UpdatedBy": "scanner", "UpdatedAt": "2026-02-01T00:00:00Z"},
            UserDefinedFields={"ticket": "0"},
            VerificationState="UNKNOWN",
            Severity={"Label": "CRITICAL"},
        )
        stored = account.stored()
        assert stored["Title"] == "Port still open"
        assert stored["Workflow"] == {"Status": "SUPPRESSED"}
        assert stored["Note"]["Text"] == "known"
        assert stored["UserDefinedFields"] == {"ticket": "7"}
        assert stored["VerificationState"] == "FALSE_POSITIVE"
        assert stored["Severity"]["Label"] == "LOW"
        assert stored["FindingProviderFields"]["Severity"]["Label"] == "CRITICAL"

    def test_an_update_that_is_not_later_is_ignored_and_sends_no_event(self, account):
        account.imported()
        receive = account.listen()
        account.imported(Title="Same time")
        account.imported(Title="Later", UpdatedAt="2026-01-01T00:00:01Z")
        (event,) = receive(1)
        assert event["detail"]["findings"][0]["Title"] == "Later"
        assert account.stored()["Title"] == "Later"

    @pytest.mark.parametrize(("status", "then"), [("RESOLVED", "NEW"), ("SUPPRESSED", "SUPPRESSED")])
    def test_a_resolved_finding_that_fails_again_is_new_but_a_suppressed_one_stays(
        self, account, status, then
    ):
        finding = account.imported(Compliance={"Status": "PASSED"})
        account.update(finding, Workflow={"Status": status})
        account.imported(UpdatedAt="2026-02-01T00:00:00Z", Compliance={"Status": "FAILED"})
        assert account.stored()["Workflow"] == {"Status": then}


class TestUpdate:
    def test_a_note_is_stamped_and_the_finding_keeps_its_updated_at(self, account):
        finding = account.imported()
        answer = account.update(
            finding, Note={"Text": "seen", "UpdatedBy": "me"}, Workflow={"Status": "NOTIFIED"}
        )
        assert answer["ProcessedFindings"] == [finding]
        stored = account.stored()
        assert stored["Workflow"] == {"Status": "NOTIFIED"}
        assert stored["UpdatedAt"] == "2026-01-01T00:00:00Z"
        stamped = datetime.fromisoformat(stored["Note"]["UpdatedAt"])
        assert datetime.now(UTC) - stamped < timedelta(minutes=1)

    def test_a_missing_finding_is_unprocessed_and_the_others_are_not_held_up(self, account):
        finding = account.imported()
        missing = finding | {"Id": "missing"}
        answer = account.hub.batch_update_findings(
            FindingIdentifiers=[missing, finding], Workflow={"Status": "RESOLVED"}
        )
        assert answer["ProcessedFindings"] == [finding]
        (unprocessed,) = answer["UnprocessedFindings"]
        assert (unprocessed["FindingIdentifier"], unprocessed["ErrorCode"]) == (missing, "FindingNotFound")

    def test_a_finding_takes_50_user_defined_fields(self, account):
        finding = account.imported()
        fields = {f"team/{number}-_=+@.:": "value" for number in range(50)}
        account.update(finding, UserDefinedFields=fields)
        assert account.stored()["UserDefinedFields"] == fields
        answer = refused(
            "InvalidInputException",
            account.hub.batch_update_findings,
            FindingIdentifiers=[finding],
            UserDefinedFields={**fields, "one more": "value"},
        )
        assert "up to 50 entries, but has 51" in answer["Error"]["Message"]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"UserDefinedFields": {"a key": "value"}}, "letters, digits, and -_=+@./:, but is 'a key'"),
            ({"UserDefinedFields": {"schlüssel": "value"}}, "but is 'schlüssel'"),
            ({"UserDefinedFields": {"key": " "}}, "must not be blank"),
            ({"Types": ["A/B/C/D"]}, "Types[0] should match pattern"),
        ],
    )
    def test_an_update_that_is_not_in_the_format_is_refused(self, account, changes, reason):
        finding = account.imported()
        answer = refused(
            "InvalidInputException",
            account.hub.batch_update_findings,
            FindingIdentifiers=[finding],
            **changes,
        )
        assert reason in answer["Error"]["Message"]

    def test_a_severity_label_sets_the_normalized_score(self, account):
        account.update(account.imported(), Severity={"Label": "CRITICAL"})
        assert account.stored()["Severity"] == {"Label": "CRITICAL", "Normalized": 90}

    @pytest.mark.parametrize(
        "changes", [{}, {"Confidence": 101}, {"Note": {"Text": "x" * 513, "UpdatedBy": "me"}}]
    )
    def test_an_update_of_nothing_or_out_of_range_is_refused(self, account, changes):
        finding = account.imported()
        refused(
            "InvalidInputException",
            account.hub.batch_update_findings,
            FindingIdentifiers=[finding],
            **changes,
        )

    def test_more_than_100_findings_are_refused(self, account):
        finding = account.imported()
        refused(
            "InvalidInputException",
            account.hub.batch_update_findings,
            FindingIdentifiers=[finding] * 101,
            Workflow={"Status": "NEW"},
        )


class TestGetFindings:
    def test_pages_together_hold_every_finding_once(self, account):
        for number in range(5):
            account.imported(f"finding-{number}")
        pages = account.hub.get_paginator("get_findings").paginate(PaginationConfig={"PageSize": 2})
        found = [finding["Id"] for page in pages for finding in page["Findings"]]
        assert found == [f"finding-{number}" for number in range(5)]

    def test_findings_are_sorted_by_the_first_criterion_first(self, account):
        for finding_id, score, title in [("a", 10, "x"), ("b", 90, "x"), ("c", 50, "w")]:
            account.imported(finding_id, Severity={"Normalized": score}, Title=title)
        criteria = [
            {"Field": "Title", "SortOrder": "asc"},
            {"Field": "SeverityNormalized", "SortOrder": "desc"},
        ]
        assert account.ids({}, SortCriteria=criteria) == ["c", "b", "a"]

    def test_a_filter_that_cannot_be_evaluated_is_refused_and_never_ignored(self, account):
        filters = {"Keyword": [{"Value": "port"}]}
        refused("InvalidInputException", account.hub.get_findings, Filters=filters)
        criteria = [{"Field": "Colour", "SortOrder": "asc"}]
        refused("InvalidInputException", account.hub.get_findings, SortCriteria=criteria)

    def test_filters_on_several_attributes_must_all_match(self, account):
        account.imported("a")
        account.imported("b", Severity={"Label": "LOW"})
        filters = {
            "SeverityLabel": [{"Value": "HIGH", "Comparison": "EQUALS"}],
            "RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}],
        }
        assert account.ids(filters) == ["a"]
