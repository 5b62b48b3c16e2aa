from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.launching import EmulatorError

REGION = "eu-west-1"
_accounts = count(200000000001)


@cache
def _session():
    """A session that knows none of the user's profiles, kept because loading the service's model is slow."""
    ignored = {
        # botocore's form: name in the config file, environment variable, default, conversion.
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = botocore.session.Session(session_vars=ignored)
    return boto3.session.Session(botocore_session=session)


class Account:
    """One account that no other test uses."""

    def __init__(self, aws, account_id, region=REGION):
        self.aws, self.id, self.region = aws, account_id, region
        self.hub = _session().client(
            "securityhub",
            endpoint_url=aws.endpoint_url,
            region_name=region,
            aws_access_key_id=account_id,
            aws_secret_access_key="test",  # noqa: S106 - the server takes any secret
            # boto3 would repeat a call that an error of ours refuses, and hide it.
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        self.product_arn = f"arn:aws:securityhub:{region}:{account_id}:product/{account_id}/default"

    def action(self, action_id="Suppress", **changes):
        request = {"Id": action_id, "Name": "Suppress", "Description": "Suppress the finding"} | changes
        return self.hub.create_action_target(**request)["ActionTargetArn"]

    def finding(self, finding_id="finding-1", **changes):
        return {
            "SchemaVersion": "2018-10-08",
            "Id": finding_id,
            "ProductArn": self.product_arn,
            "GeneratorId": "scanner/rule-1",
            "AwsAccountId": self.id,
            "Types": ["Software and Configuration Checks/Vulnerabilities/CVE"],
            "CreatedAt": "2026-01-01T00:00:00Z",
            "UpdatedAt": "2026-01-01T00:00:00Z",
            "Severity": {"Label": "HIGH"},
            "Title": "Port open",
            "Description": "A port is open to the world",
            "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::logs"}],
        } | changes

    def imported(self, finding_id="finding-1", **changes):
        finding = self.finding(finding_id, **changes)
        assert self.hub.batch_import_findings(Findings=[finding])["SuccessCount"] == 1
        return {"Id": finding_id, "ProductArn": finding["ProductArn"]}

    def stored(self, finding_id="finding-1"):
        filters = {"Id": [{"Value": finding_id, "Comparison": "EQUALS"}]}
        (found,) = self.hub.get_findings(Filters=filters)["Findings"]
        return found

    def ids(self, filters, **more):
        return [finding["Id"] for finding in self.hub.get_findings(Filters=filters, **more)["Findings"]]

    def update(self, identifier, **changes):
        return self.hub.batch_update_findings(FindingIdentifiers=[identifier], **changes)

    def listen(self):
        """A queue that receives every Security Hub event from now on."""
        clients = {"account": self.id, "region": self.region}
        sqs, bus = self.aws.client("sqs", **clients), self.aws.client("events", **clients)
        url = sqs.create_queue(QueueName="events")["QueueUrl"]
        bus.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.securityhub"]}))
        arn = f"arn:aws:sqs:{self.region}:{self.id}:events"
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                }
            ],
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        bus.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])

        def receive(number):
            received = []

            def enough():
                batch = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
                for message in batch:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                received.extend(json.loads(message["Body"]) for message in batch)
                return len(received) >= number

            self.aws.wait_until(enough, what=f"{number} events")
            return received

        return receive

    def press(self, **request):
        return self.aws.request(
            "POST", "/_securityhub/press", {"account": self.id, "region": self.region} | request
        )

    def fault(self, **request):
        self.aws.request(
            "POST", "/_securityhub/faults", {"account": self.id, "region": self.region} | request
        )


@pytest.fixture
def unsubscribed(embedded_aws):
    return Account(embedded_aws, str(next(_accounts)))


@pytest.fixture
def account(unsubscribed):
    unsubscribed.hub.enable_security_hub()
    return unsubscribed


def refused(code, operation, **request):
    with pytest.raises(ClientError) as caught:
        operation(**request)
    assert caught.value.response["Error"]["Code"] == code
    # A modelled error is a subclass of its own; an unknown code would be a plain ClientError.
    assert type(caught.value).__name__ == code
    return caught.value.response


class TestHub:
    def test_every_call_before_enabling_says_that_the_account_is_not_subscribed(self, unsubscribed):
        for operation in (unsubscribed.hub.describe_hub, unsubscribed.hub.get_findings):
            response = refused("InvalidAccessException", operation)
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 401
            expected = f"Account {unsubscribed.id} is not subscribed to AWS Security Hub"
            assert response["Error"]["Message"] == expected

    def test_enabling_twice_is_a_conflict(self, account):
        response = refused("ResourceConflictException", account.hub.enable_security_hub)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 409

    def test_the_hub_is_the_regions_own(self, account):
        elsewhere = Account(account.aws, account.id, "us-east-1")
        refused("InvalidAccessException", elsewhere.hub.describe_hub)

    def test_actions_and_findings_outlive_disabling(self, account):
        arn = account.action()
        account.imported()
        account.hub.disable_security_hub()
        refused("InvalidAccessException", account.hub.describe_action_targets)
        account.hub.enable_security_hub()
        (action,) = account.hub.describe_action_targets()["ActionTargets"]
        assert action["ActionTargetArn"] == arn
        assert account.stored()["Id"] == "finding-1"

    def test_configuration_is_updated(self, account):
        account.hub.update_security_hub_configuration(AutoEnableControls=False)
        assert account.hub.describe_hub()["AutoEnableControls"] is False

    def test_an_operation_that_is_not_emulated_says_so(self, account):
        with pytest.raises(ClientError, match="GetFindingHistory is not emulated") as caught:
            account.hub.get_finding_history(FindingIdentifier={"Id": "a", "ProductArn": "b"})
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


class TestActionTargets:
    @pytest.mark.parametrize(
        ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), (REGION, "aws")]
    )
    def test_the_arn_is_of_the_regions_partition(self, embedded_aws, region, partition):
        account = Account(embedded_aws, str(next(_accounts)), region)
        account.hub.enable_security_hub()
        arn = account.action("Open_ticket-1")
        assert arn == f"arn:{partition}:securityhub:{region}:{account.id}:action/custom/Open_ticket-1"

    @pytest.mark.parametrize(
        "change",
        [
            {"Name": "x" * 21},
            {"Name": " "},
            {"Description": "  "},
            {"action_id": "x" * 21},
            {"action_id": "with space"},
            {"action_id": "ümlaut"},
        ],
    )
    def test_invalid_input_is_refused(self, account, change):
        response = refused("InvalidInputException", account.action, **change)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400

    def test_the_longest_name_and_id_are_taken(self, account):
        assert account.action("x" * 20, Name="y" * 20).endswith(f"/{'x' * 20}")

    def test_an_id_taken_is_a_conflict(self, account):
        account.action()
        response = refused("ResourceConflictException", account.action, Name="Other")
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 409

    def test_the_51st_action_exceeds_the_quota(self, account):
        for number in range(50):
            account.action(f"action{number}")
        response = refused("LimitExceededException", account.action, action_id="another")
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 429

    def test_the_same_id_in_another_region_is_another_action(self, account):
        elsewhere = Account(account.aws, account.id, "us-east-1")
        elsewhere.hub.enable_security_hub()
        assert account.action() != elsewhere.action()

    def test_update_changes_only_what_is_given(self, account):
        arn = account.action()
        account.hub.update_action_target(ActionTargetArn=arn, Name="Renamed")
        (action,) = account.hub.describe_action_targets(ActionTargetArns=[arn])["ActionTargets"]
        assert (action["Name"], action["Description"]) == ("Renamed", "Suppress the finding")

    def test_a_missing_action_is_not_found(self, account):
        arn = account.action()
        assert account.hub.delete_action_target(ActionTargetArn=arn)["ActionTargetArn"] == arn
        for operation in (account.hub.update_action_target, account.hub.delete_action_target):
            response = refused("ResourceNotFoundException", operation, ActionTargetArn=arn)
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
        refused("ResourceNotFoundException", account.hub.describe_action_targets, ActionTargetArns=[arn])

    def test_pages_together_hold_every_action_once(self, account):
        created = [account.action(f"action{number}") for number in range(5)]
        pages = account.hub.get_paginator("describe_action_targets").paginate(
            PaginationConfig={"PageSize": 2}
        )
        assert [action["ActionTargetArn"] for page in pages for action in page["ActionTargets"]] == created

    def test_a_token_of_another_request_is_refused(self, account):
        for number in range(3):
            account.imported(f"finding-{number}")
        token = account.hub.get_findings(MaxResults=2)["NextToken"]
        refused("InvalidInputException", account.hub.describe_action_targets, NextToken=token)
        refused("InvalidInputException", account.hub.describe_action_targets, NextToken="nonsense")


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
        assert (stored["AwsAccountId"], stored["ProductName"]) == ("999999999999", "guardduty")

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


class TestInsights:
    def test_results_count_each_value_and_put_the_most_frequent_first(self, account):
        for number, bucket in enumerate(["a", "b", "b"]):
            account.imported(f"finding-{number}", Resources=[{"Type": "AwsS3Bucket", "Id": bucket}])
        insight = account.hub.create_insight(Name="Buckets", Filters={}, GroupByAttribute="ResourceId")
        results = account.hub.get_insight_results(InsightArn=insight["InsightArn"])["InsightResults"]
        assert results["ResultValues"] == [
            {"GroupByAttributeValue": "b", "Count": 2},
            {"GroupByAttributeValue": "a", "Count": 1},
        ]

    def test_an_insight_counts_only_what_its_filters_choose(self, account):
        account.imported("a")
        account.imported("b", Severity={"Label": "LOW"})
        filters = {"SeverityLabel": [{"Value": "LOW", "Comparison": "EQUALS"}]}
        arn = account.hub.create_insight(Name="Low", Filters=filters, GroupByAttribute="Id")["InsightArn"]
        (value,) = account.hub.get_insight_results(InsightArn=arn)["InsightResults"]["ResultValues"]
        assert value["GroupByAttributeValue"] == "b"

    def test_an_insight_is_updated_and_deleted(self, account):
        arn = account.hub.create_insight(Name="Low", Filters={}, GroupByAttribute="Id")["InsightArn"]
        account.hub.update_insight(InsightArn=arn, Name="Renamed")
        (insight,) = account.hub.get_insights(InsightArns=[arn])["Insights"]
        assert (insight["Name"], insight["GroupByAttribute"]) == ("Renamed", "Id")
        account.hub.delete_insight(InsightArn=arn)
        refused("ResourceNotFoundException", account.hub.get_insight_results, InsightArn=arn)

    def test_an_unknown_group_by_attribute_is_refused(self, account):
        refused(
            "InvalidInputException",
            account.hub.create_insight,
            Name="x",
            Filters={},
            GroupByAttribute="Colour",
        )


class TestEvents:
    def test_import_and_update_send_one_imported_event_a_finding(self, account):
        receive = account.listen()
        batch = [account.finding("a"), account.finding("b")]
        account.hub.batch_import_findings(Findings=batch)
        account.update({"Id": "a", "ProductArn": account.product_arn}, Workflow={"Status": "NOTIFIED"})
        events = receive(3)
        assert {event["detail-type"] for event in events} == {"Security Hub Findings - Imported"}
        assert [len(event["detail"]["findings"]) for event in events] == [1, 1, 1]
        assert sorted(event["resources"][0] for event in events) == [
            f"{account.product_arn}/a",
            f"{account.product_arn}/a",
            f"{account.product_arn}/b",
        ]
        (updated,) = [
            event for event in events if event["detail"]["findings"][0]["Workflow"]["Status"] == "NOTIFIED"
        ]
        assert (updated["account"], updated["region"]) == (account.id, REGION)

    def test_v2_sends_the_finding_in_ocsf_as_well(self, account):
        refused("ResourceNotFoundException", account.hub.describe_security_hub_v2)
        arn = account.hub.enable_security_hub_v2()["HubV2Arn"]
        assert account.hub.describe_security_hub_v2()["HubV2Arn"] == arn
        receive = account.listen()
        account.imported(Compliance={"Status": "FAILED", "SecurityControlId": "S3.1"})
        by_type = {event["detail-type"]: event for event in receive(2)}
        (finding,) = by_type["Findings Imported V2"]["detail"]["findings"]
        assert (finding["class_uid"], finding["type_uid"]) == (2003, 200301)
        assert finding["finding_info"]["uid"] == "finding-1"
        assert (finding["severity_id"], finding["severity"]) == (4, "High")
        assert finding["cloud"]["account"]["uid"] == account.id
        assert finding["compliance"] == {"status_id": 3, "status": "Fail", "control": "S3.1"}

    def test_an_update_is_no_creation_in_ocsf(self, account):
        finding = account.imported()
        account.hub.enable_security_hub_v2()
        receive = account.listen()
        account.update(finding, Workflow={"Status": "SUPPRESSED"})
        by_type = {event["detail-type"]: event for event in receive(2)}
        (translated,) = by_type["Findings Imported V2"]["detail"]["findings"]
        assert (translated["class_uid"], translated["type_uid"]) == (2004, 200402)
        assert (translated["status_id"], translated["status"]) == (3, "Suppressed")

    def test_disabled_v2_sends_asff_only(self, account):
        account.hub.enable_security_hub_v2()
        account.hub.disable_security_hub_v2()
        receive = account.listen()
        account.imported("a")
        account.imported("b")
        assert {event["detail-type"] for event in receive(2)} == {"Security Hub Findings - Imported"}


class TestPress:
    def test_20_findings_travel_in_one_event(self, account):
        findings = [account.imported(f"finding-{number}") for number in range(20)]
        action = account.action()
        receive = account.listen()
        answer = account.press(action_arn=action, findings=findings)
        (event,) = receive(1)
        assert answer == {"event_ids": [event["id"]], "events": [event]}
        assert event["detail-type"] == "Security Hub Findings - Custom Action"
        assert event["resources"] == [action]
        assert event["detail"]["actionName"] == "Suppress"
        assert event["detail"]["actionDescription"] == "Suppress the finding"
        assert [finding["Id"] for finding in event["detail"]["findings"]] == [
            finding["Id"] for finding in findings
        ]

    def test_each_finding_travels_alone_when_asked(self, account):
        findings = [account.imported(f"finding-{number}") for number in range(3)]
        answer = account.press(action_arn=account.action(), findings=findings, one_event_per_finding=True)
        assert [len(event["detail"]["findings"]) for event in answer["events"]] == [1, 1, 1]

    def test_a_finding_is_named_by_its_id_or_by_its_whole_arn(self, account):
        account.imported()
        action = account.action()
        for arn in ("finding-1", f"{account.product_arn}/finding-1"):
            (event,) = account.press(action_arn=action, finding_arns=[arn])["events"]
            assert event["detail"]["findings"] == [account.stored()]

    def test_100_insight_results_travel_without_findings(self, account):
        batch = [account.finding(f"finding-{number:03}") for number in range(100)]
        account.hub.batch_import_findings(Findings=batch)
        insight = account.hub.create_insight(Name="By id", Filters={}, GroupByAttribute="Id")["InsightArn"]
        action = account.action()
        (event,) = account.press(action_arn=action, insight_arn=insight)["events"]
        assert event["detail-type"] == "Security Hub Insight Results"
        assert event["resources"] == [action]
        assert event["detail"].keys() == {
            "actionName",
            "actionDescription",
            "insightArn",
            "insightName",
            "resultType",
            "insightResults",
        }
        assert event["detail"]["resultType"] == "Id"
        assert len(event["detail"]["insightResults"]) == 100
        assert event["detail"]["insightResults"][0] == {"finding-000": 1}

    def test_only_the_selected_results_travel(self, account):
        account.imported("a")
        account.imported("b")
        insight = account.hub.create_insight(Name="By id", Filters={}, GroupByAttribute="Id")["InsightArn"]
        (event,) = account.press(action_arn=account.action(), insight_arn=insight, result_values=["b"])[
            "events"
        ]
        assert event["detail"]["insightResults"] == [{"b": 1}]

    @pytest.mark.parametrize(
        ("selection", "status", "reason"),
        [
            ({}, 400, "Select either findings or an insight"),
            ({"finding_arns": ["finding-1"], "insight_arn": "x"}, 400, "Select either"),
            ({"finding_arns": ["finding-1"] * 21}, 400, "up to 20 findings"),
            ({"finding_arns": ["other"]}, 404, "Finding other does not exist"),
            ({"finding_arns": "finding-1"}, 400, "finding_arns must be a list"),
            ({"findings": [{"Id": "finding-1"}]}, 400, "ProductArn must be a text"),
            ({"insight_arn": "x"}, 404, "Insight x does not exist"),
            ({"finding_arns": ["finding-1"], "action_arn": "x"}, 404, "Action target x does not exist"),
            ({"finding_arns": ["finding-1"], "account": " "}, 400, "account must be a text"),
        ],
    )
    def test_a_press_that_cannot_be_is_refused(self, account, selection, status, reason):
        account.imported()
        with pytest.raises(EmulatorError, match=reason) as caught:
            account.press(**({"action_arn": account.action()} | selection))
        assert f"failed with {status}" in str(caught.value)

    def test_two_products_with_the_same_finding_id_need_the_product(self, account):
        account.imported()
        account.imported(ProductArn=f"arn:aws:securityhub:{REGION}::product/aws/guardduty")
        with pytest.raises(EmulatorError, match="2 products have a finding finding-1"):
            account.press(action_arn=account.action(), finding_arns=["finding-1"])

    def test_an_unknown_result_is_not_found(self, account):
        insight = account.hub.create_insight(Name="By id", Filters={}, GroupByAttribute="Id")["InsightArn"]
        with pytest.raises(EmulatorError, match="has no result 'x'"):
            account.press(action_arn=account.action(), insight_arn=insight, result_values=["x"])

    def test_nothing_can_be_pressed_without_a_hub(self, unsubscribed):
        with pytest.raises(EmulatorError, match="is not subscribed"):
            unsubscribed.press(action_arn="x", finding_arns=["y"])


class TestFaults:
    def test_the_next_calls_of_an_operation_fail_and_then_no_more(self, account):
        account.fault(operation="DescribeActionTargets", error="LimitExceededException", message="Slow down")
        response = refused("LimitExceededException", account.hub.describe_action_targets)
        assert response["Error"]["Message"] == "Slow down"
        assert account.hub.describe_action_targets()["ActionTargets"] == []

    def test_a_fault_is_of_its_account_alone(self, account, embedded_aws):
        other = Account(embedded_aws, str(next(_accounts)))
        other.hub.enable_security_hub()
        account.fault(operation="DescribeHub", error="AccessDeniedException", count=1)
        assert other.hub.describe_hub()
        with pytest.raises(ClientError, match="AccessDeniedException"):
            account.hub.describe_hub()

    def test_a_marked_finding_stays_unprocessed(self, account):
        finding = account.imported()
        account.fault(finding=finding, error="InternalException", message="Try again")
        (unprocessed,) = account.update(finding, Workflow={"Status": "NOTIFIED"})["UnprocessedFindings"]
        assert (unprocessed["ErrorCode"], unprocessed["ErrorMessage"]) == ("InternalException", "Try again")
        assert account.stored()["Workflow"] == {"Status": "NEW"}

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ({"operation": "Nonsense", "error": "InternalException"}, "operation must be"),
            ({"operation": "DescribeHub", "error": "Nonsense"}, "error must be one of"),
            ({"operation": "DescribeHub", "error": "InternalException", "count": -1}, "count must be 0"),
            (
                {"operation": "DescribeHub", "error": "InternalException", "count": "1"},
                "count must be a whole",
            ),
        ],
    )
    def test_a_fault_that_cannot_be_is_refused(self, account, fault, reason):
        with pytest.raises(EmulatorError, match=reason):
            account.fault(**fault)
