from __future__ import annotations

import copy
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub.events import (
    CustomActionEvent,
    ImportedFindingsEvent,
    ImportedFindingsV2Event,
    InsightResult,
    InsightResultsEvent,
    MalformedEventError,
    parse_event,
)
from tests.hypothesis_profiles import examples

ACTION_ARN = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/MarkAsNotified"
DETAIL_TYPES = [
    "Security Hub Findings - Custom Action",
    "Security Hub Insight Results",
    "Security Hub Findings - Imported",
    "Findings Imported V2",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def maybe(good):
    """Mostly a good value, so that the parser gets deep; sometimes any JSON at all."""
    return st.one_of(st.just(good), st.just(good), st.just(good), JSON)


ASFF = st.fixed_dictionaries(
    {"Id": maybe("finding/1"), "ProductArn": maybe("arn:aws:securityhub:eu-west-1::product/aws/config")},
    optional={
        "AwsAccountId": maybe("111122223333"),
        "Region": maybe("eu-west-1"),
        "Title": maybe("A title"),
        "Severity": maybe({"Label": "HIGH"}) | st.fixed_dictionaries({"Label": JSON}),
        "Workflow": maybe({"Status": "NEW"}),
        "Compliance": maybe({"Status": "FAILED"}),
        "Resources": maybe([{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::b"}]) | st.lists(JSON, max_size=3),
        "UpdatedAt": maybe("2026-01-31T09:30:00Z"),
    },
)
OCSF = st.fixed_dictionaries(
    {
        "metadata": maybe(
            {"uid": "e516", "product": {"uid": "arn:aws:securityhub:eu-west-1::productv2/a/b"}}
        ),
        "finding_info": maybe({"uid": "finding/1", "title": "A title"}),
        "cloud": maybe({"account": {"uid": "111122223333"}, "region": "eu-west-1"}),
    },
    optional={"severity": maybe("High"), "resources": maybe([{"uid": "arn:aws:s3:::b"}])},
)
DETAIL = st.fixed_dictionaries(
    {},
    optional={
        "actionName": maybe("Mark as notified"),
        "actionDescription": maybe("Description"),
        "findings": st.lists(ASFF | OCSF | JSON, max_size=5) | JSON,
        "insightArn": maybe("arn:aws:securityhub:::insight/securityhub/default/1"),
        "insightName": maybe("An insight"),
        "resultType": maybe("ResourceId"),
        "number of results": JSON,
        "insightResults": st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=2) | JSON, max_size=5),
    },
)
EVENT = st.fixed_dictionaries(
    {
        "id": maybe("6f0c"),
        "detail-type": st.sampled_from(DETAIL_TYPES) | JSON,
        "source": maybe("aws.securityhub"),
        "account": maybe("111122223333"),
        "time": maybe("2026-01-31T09:30:00Z"),
        "region": maybe("eu-west-1"),
        "resources": maybe([ACTION_ARN]) | st.lists(JSON, max_size=2),
        "detail": DETAIL | JSON,
    }
)


def test_a_custom_action_event_carries_the_action_and_its_finding(load_event):
    event = parse_event(load_event("custom_action_1_finding"))

    assert isinstance(event, CustomActionEvent)
    assert event.action_arn == ACTION_ARN
    assert event.action_name == "Mark as notified"
    assert (event.account, event.region) == ("111122223333", "eu-west-1")
    assert event.time == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    (finding,) = event.findings
    assert finding.id.endswith(":security-control/S3.8/finding/5a3d0001-0f1e-4c2d-9b3a-7c9e01000001")
    assert finding.product_arn == "arn:aws:securityhub:eu-west-1::product/aws/securityhub"
    assert finding.severity_label == "CRITICAL"
    assert finding.workflow_status == "NEW"
    assert finding.record_state == "ACTIVE"
    assert finding.compliance_status == "FAILED"
    assert finding.generator_id == "security-control/S3.8"
    assert finding.updated_at == datetime(2026, 1, 31, 9, 2, 31, 229000, tzinfo=UTC)
    assert [(item.type, item.id, item.region) for item in finding.resources] == [
        ("AwsS3Bucket", "arn:aws:s3:::example-reports-01", "eu-west-1")
    ]


def test_all_20_findings_of_a_custom_action_event_are_read(load_event):
    event = parse_event(load_event("custom_action_20_findings"))

    assert len(event.findings) == 20
    assert event.malformed_findings == ()
    assert {finding.aws_account_id for finding in event.findings} == {
        "111122223333",
        "444455556666",
        "777788889999",
    }


def test_an_imported_event_carries_its_finding(load_event):
    event = parse_event(load_event("findings_imported"))

    assert isinstance(event, ImportedFindingsEvent)
    assert [finding.title for finding in event.findings] == [
        "S3 general purpose buckets should block public access"
    ]


@pytest.mark.parametrize("name", ["findings_imported", "findings_imported_v2"])
def test_an_imported_event_does_not_need_its_resources(load_event, name):
    given = load_event(name)
    del given["resources"]
    event = parse_event(given)
    assert (event.resources, len(event.findings)) == ((), 1)


def test_a_v2_event_carries_its_ocsf_finding(load_event):
    event = parse_event(load_event("findings_imported_v2"))

    assert isinstance(event, ImportedFindingsV2Event)
    (finding,) = event.findings
    assert finding.metadata_uid == "e51603d1054aad9d9f498d82d6e81acf4cf6bc88140e8ad2273123c73b810844"
    assert finding.id.endswith("/finding/5a3d0042-0f1e-4c2d-9b3a-7c9e01000042")
    assert (finding.severity_label, finding.workflow_status) == ("HIGH", "NEW")
    assert (finding.aws_account_id, finding.region) == ("444455556666", "eu-west-1")
    assert [item.id for item in finding.resources] == ["arn:aws:s3:::example-reports-42"]


def test_insight_results_are_read_in_their_order(load_event):
    event = parse_event(load_event("insight_results_few"))

    assert isinstance(event, InsightResultsEvent)
    assert event.action_arn.endswith(":action/custom/InsightDigest")
    assert event.insight_arn == "arn:aws:securityhub:::insight/securityhub/default/10"
    assert event.result_type == "ResourceId"
    assert event.number_of_results is None
    assert event.results == (
        InsightResult(value="arn:aws:s3:::example-reports-01", count=12),
        InsightResult(value="arn:aws:s3:::example-website", count=5),
        InsightResult(value="arn:aws:s3:::example-archive", count=1),
    )


def test_100_insight_results_are_all_read(load_event):
    event = parse_event(load_event("insight_results_100_results"))

    assert len(event.results) == 100
    assert event.number_of_results == 100


def test_counts_may_be_strings_of_digits(load_event):
    given = load_event("insight_results_few")
    given["detail"]["insightResults"] = [{"example": "42"}]

    assert parse_event(given).results == (InsightResult(value="example", count=42),)


@pytest.mark.parametrize("count", [-1, 1.5, True, None, "4 2", "٤٢", "9" * 5000, [1]])
def test_a_result_whose_count_is_no_count_is_reported_beside_the_others(load_event, count):
    given = load_event("insight_results_few")
    given["detail"]["insightResults"][1] = {"example": count}

    event = parse_event(given)

    assert len(event.results) == 2
    (malformed,) = event.malformed_results
    assert malformed.index == 1
    assert malformed.reason.startswith("$.detail.insightResults[1].example must be an integer from 0")


def test_an_insight_event_without_an_action_arn_is_accepted(load_event):
    given = load_event("insight_results_few")
    given["resources"] = ["arn:aws:securityhub:us-west-1::product/aws/macie:us-west-1:222233334444:test"]

    assert parse_event(given).action_arn is None


def test_a_malformed_finding_does_not_hide_the_others(load_event):
    given = load_event("custom_action_20_findings")
    del given["detail"]["findings"][3]["ProductArn"]
    given["detail"]["findings"][7] = "not a finding"

    event = parse_event(given)

    assert len(event.findings) == 18
    first, second = event.malformed_findings
    assert (first.index, first.id) == (3, given["detail"]["findings"][3]["Id"])
    assert first.reason == (
        "$.detail.findings[3].ProductArn must be a string that is not blank, but is missing."
    )
    assert (second.index, second.id) == (7, None)
    assert second.reason == "$.detail.findings[7] must be an object, but is 'not a finding'."


def test_a_malformed_v2_finding_is_reported_with_its_uid(load_event):
    given = load_event("findings_imported_v2")
    given["detail"]["findings"][0]["cloud"] = None

    event = parse_event(given)

    assert event.findings == ()
    assert event.malformed_findings[0].id == given["detail"]["findings"][0]["metadata"]["uid"]


BUCKET = {"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::one"}
QUEUE = {"Type": "AwsSqsQueue", "Id": "arn:aws:sqs:eu-central-1:111122223333:one"}


@pytest.mark.parametrize(
    ("resources", "product_arn", "region"),
    [
        (
            [BUCKET | {"Region": "us-west-2"}],
            "arn:aws:securityhub:us-east-1::product/aws/securityhub",
            "us-west-2",
        ),
        ([QUEUE], "arn:aws:securityhub:us-east-1::product/aws/securityhub", "eu-central-1"),
        ([BUCKET], "arn:aws:securityhub:us-east-1::product/aws/securityhub", "us-east-1"),
        (
            [BUCKET | {"Region": "aws-global"}],
            "arn:aws:securityhub:us-east-1::product/aws/securityhub",
            "us-east-1",
        ),
        (
            [QUEUE, BUCKET | {"Region": "us-west-2"}],
            "arn:aws:securityhub:us-east-1::product/aws/securityhub",
            "us-east-1",
        ),
        ([], "arn:aws:securityhub:us-east-1::product/aws/securityhub", "us-east-1"),
        ([BUCKET], "no ARN", ""),
    ],
)
def test_a_finding_without_region_gets_that_of_its_resources_or_product_and_never_that_of_the_event(
    load_event, resources, product_arn, region
):
    given = load_event("findings_imported")
    (finding,) = given["detail"]["findings"]
    del finding["Region"]
    given["region"] = "eu-south-2"
    finding |= {"Resources": resources, "ProductArn": product_arn}
    assert parse_event(given).findings[0].region == region


def test_a_finding_that_is_only_identified_can_still_be_acted_on(load_event):
    given = load_event("custom_action_1_finding")
    full = given["detail"]["findings"][0]
    given["detail"]["findings"] = [{key: full[key] for key in ("Id", "ProductArn", "AwsAccountId")}]

    (finding,) = parse_event(given).findings

    assert (finding.title, finding.severity_label, finding.updated_at) == (None, None, None)


def test_the_content_of_a_finding_is_kept_but_not_shown(load_event):
    given = load_event("custom_action_1_finding")

    (finding,) = parse_event(given).findings

    assert finding.raw == given["detail"]["findings"][0]
    assert "Remediation" not in repr(finding)


@pytest.mark.parametrize("name", ["Send to SIEM", "Anything else"])
def test_the_action_is_told_by_its_arn_whatever_its_name(load_event, name):
    given = load_event("custom_action_1_finding")
    given["detail"]["actionName"] = name

    assert parse_event(given).action_arn == ACTION_ARN


@pytest.mark.parametrize("name", ["custom_action_1_finding", "insight_results_few"])
def test_an_event_that_names_several_custom_actions_is_malformed(load_event, name):
    """Whoever may use one action on a press bus could name another one first, which its function has, too."""
    given = load_event(name)
    (action_arn,) = given["resources"]
    given["resources"] = [action_arn, action_arn]
    assert parse_event(given).action_arn == action_arn
    given["resources"] = [f"{action_arn.rpartition('/')[0]}/UndoRemediation", action_arn]
    with pytest.raises(
        MalformedEventError, match=r"\$.resources must be an array with one custom action's ARN"
    ):
        parse_event(given)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_an_action_arn_of_any_partition_is_found_among_the_resources(load_event, partition):
    given = load_event("custom_action_1_finding")
    action_arn = ACTION_ARN.replace("arn:aws:", f"arn:{partition}:")
    given["resources"] = ["arn:aws:s3:::example", action_arn]

    assert parse_event(given).action_arn == action_arn


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "source",
            "custom.app",
            "$.source must be 'aws.securityhub' or 'securityhub-actions.press', but is 'custom.app'.",
        ),
        (
            "detail-type",
            "EC2 Instance State-change Notification",
            "$.detail-type must be one of 'Security Hub",
        ),
        ("account", "1234", "$.account must be a string of 12 digits, but is '1234'."),
        ("time", "2026-01-31T09:30:00", "$.time must be an ISO 8601 timestamp with a time zone"),
        ("time", "0001-01-01T00:00:00+05:00", "$.time must be an ISO 8601 timestamp with a time zone"),
        ("time", "9999-12-31T23:59:59-05:00", "$.time must be an ISO 8601 timestamp with a time zone"),
        ("time", 1769850157, "but is 1769850157."),
        ("resources", [], "$.resources must be an array with one custom action's ARN"),
        ("resources", "arn", "$.resources must be an array, but is 'arn'."),
        ("detail", None, "$.detail must be an object, but is null."),
        ("detail", {"actionName": "x", "findings": []}, "$.detail.findings must be an array of at least one"),
        ("id", "", "$.id must be a string that is not blank, but is ''."),
        ("region", " ", "$.region must be a string that is not blank"),
    ],
)
def test_a_malformed_event_is_refused_with_place_given_and_allowed(load_event, key, value, message):
    given = load_event("custom_action_1_finding")
    given[key] = value

    with pytest.raises(MalformedEventError) as caught:
        parse_event(given)

    assert message in str(caught.value)


def test_a_long_value_is_not_repeated_whole_in_the_error(load_event):
    given = load_event("custom_action_1_finding")
    given["account"] = "secret" * 1000

    with pytest.raises(MalformedEventError) as caught:
        parse_event(given)

    assert len(str(caught.value)) < 250
    assert "(6000 characters)" in str(caught.value)


@pytest.mark.parametrize("given", [None, [], "{}", 7])
def test_something_that_is_no_object_is_refused(given):
    with pytest.raises(MalformedEventError, match=r"^\$ must be an object"):
        parse_event(given)


@given(EVENT | JSON)
@examples(2)
def test_any_json_is_parsed_or_refused_with_the_one_error(given):
    before = copy.deepcopy(given)

    with suppress(MalformedEventError):
        parse_event(given)

    assert repr(given) == repr(before)


@given(st.sampled_from(DETAIL_TYPES), st.lists(ASFF | OCSF | JSON, min_size=1, max_size=6))
@examples(2)
def test_every_finding_and_result_is_accounted_for_once(detail_type, items):
    detail = {
        "actionName": "Mark as notified",
        "insightArn": "arn:aws:securityhub:::insight/securityhub/default/1",
        "insightName": "An insight",
        "resultType": "ResourceId",
        "findings": items,
        "insightResults": items,
    }
    envelope = {
        "id": "6f0c",
        "detail-type": detail_type,
        "source": "aws.securityhub",
        "account": "111122223333",
        "time": "2026-01-31T09:30:00Z",
        "region": "eu-west-1",
        "resources": [ACTION_ARN],
        "detail": detail,
    }

    event = parse_event(envelope)

    if isinstance(event, InsightResultsEvent):
        assert len(event.results) + len(event.malformed_results) == len(items)
    else:
        malformed = {item.index for item in event.malformed_findings}
        readable = [item for index, item in enumerate(items) if index not in malformed]
        assert [finding.raw for finding in event.findings] == readable
        assert len(malformed) == len(event.malformed_findings)
