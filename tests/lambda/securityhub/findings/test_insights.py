from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from securityhub.events import InsightFindingsEvent, InsightResult, MalformedItem, parse_event
from securityhub.findings.insights import Insight, InsightFindings, InsightNotResolvedError, counts_of

PRODUCT = "arn:aws:securityhub:eu-west-1::product/aws/securityhub"
OPEN = {"WorkflowStatus": [{"Value": "NEW", "Comparison": "EQUALS"}]}


def finding(number, *buckets, severity=70, workflow="NEW", **changes):
    return {
        "Id": f"finding/{number:03}",
        "ProductArn": PRODUCT,
        "AwsAccountId": "444455556666",
        "Region": "eu-west-1",
        "Severity": {"Label": "HIGH", "Normalized": severity},
        "Workflow": {"Status": workflow},
        "Resources": [{"Type": "AwsS3Bucket", "Id": bucket} for bucket in buckets],
    } | changes


@pytest.fixture
def pressed(load_event):
    """A function that makes a press on results of an insight."""
    event = parse_event(load_event("insight_results_few"))

    def make(**counts):
        results = tuple(InsightResult(value=value, count=count) for value, count in counts.items())
        return replace(event, results=results)

    return make


def ids(event):
    return [one.id for one in event.findings]


def test_a_press_on_two_results_is_one_on_exactly_their_findings(fake_insights, pressed):
    fake_insights.insight_or_error = Insight(filters=OPEN, group_by_attribute="ResourceId")
    fake_insights.stored = [
        finding(1, "a"),
        finding(2, "b", severity=90),
        finding(3, "c"),
        finding(4, "a", workflow="SUPPRESSED"),
        finding(5, "x", "b"),
    ]
    event = pressed(a=1, b=2)
    resolved = fake_insights.resolver().resolve(event, not_done="nothing was done")
    assert isinstance(resolved, InsightFindingsEvent)
    assert ids(resolved) == ["finding/002", "finding/001", "finding/005"]
    assert (resolved.action_arn, resolved.event_id, resolved.time) == (
        event.action_arn,
        event.event_id,
        event.time,
    )
    assert not resolved.is_cut
    assert counts_of(resolved) == {
        "insight": {"arn": event.insight_arn, "results": 2, "counted": 3, "findings": 3, "isCut": False}
    }
    assert resolved.selection == '2 results of the insight "S3 buckets with public write or read permissions"'
    assert fake_insights.messages == []


def test_a_finding_of_several_results_is_there_once(fake_insights, pressed):
    values = [f"bucket-{number}" for number in range(45)]
    fake_insights.stored = [finding(1, *values)]
    resolved = fake_insights.resolver().resolve(
        pressed(**dict.fromkeys(values, 1)), not_done="nothing was done"
    )
    assert ids(resolved) == ["finding/001"]
    assert [len(request["ResourceId"]) for request in fake_insights.requests] == [20, 20, 5]


def test_what_a_request_returns_beyond_the_insight_is_left_out(fake_insights, pressed):
    """The filter on the grouped attribute isn't in the request, and neither is the eleventh attribute."""
    prefixes = {
        name: [{"Value": "x", "Comparison": "NOT_EQUALS"}]
        for name in (
            "AwsAccountId",
            "CompanyName",
            "Description",
            "GeneratorId",
            "ProcessName",
            "ProductName",
            "RecordState",
            "Region",
            "Title",
        )
    }
    filters = {
        **prefixes,
        **OPEN,
        "ResourceId": [{"Value": "public", "Comparison": "CONTAINS"}],
    }
    fake_insights.insight_or_error = Insight(filters=filters, group_by_attribute="ResourceId")
    fake_insights.stored = [
        finding(1, "a", "public"),
        finding(2, "a"),
        finding(3, "a", "public", workflow="RESOLVED"),
    ]
    resolved = fake_insights.resolver().resolve(pressed(a=3), not_done="nothing was done")
    assert ids(resolved) == ["finding/001"]
    (request,) = fake_insights.requests
    assert "WorkflowStatus" not in request


def test_the_limit_cuts_the_least_severe_and_says_so(fake_insights, pressed):
    fake_insights.stored = [finding(number, "a", severity=number) for number in range(1, 6)]
    resolved = fake_insights.resolver(max_findings=2).resolve(pressed(a=5), not_done="nothing was done")
    assert ids(resolved) == ["finding/005", "finding/004"]
    assert resolved.is_cut
    assert counts_of(resolved)["insight"]["isCut"] is True
    assert resolved.selection.endswith('permissions" (only 2 of about 5 findings)')
    assert resolved.selection.startswith("1 result of the insight")


def test_as_many_findings_as_the_limit_are_not_cut(fake_insights, pressed):
    fake_insights.stored = [finding(number, "a", "b") for number in range(2)]
    resolved = fake_insights.resolver(max_findings=2).resolve(pressed(a=2, b=2), not_done="nothing was done")
    assert (len(resolved.findings), resolved.is_cut) == (2, False)


def test_pages_are_read_until_the_limit(fake_insights, pressed):
    fake_insights.page = 1
    fake_insights.stored = [finding(number, "a") for number in range(10)]
    resolved = fake_insights.resolver(max_findings=7).resolve(pressed(a=10), not_done="nothing was done")
    assert (len(resolved.findings), resolved.is_cut) == (7, True)


def test_reading_ends_where_too_many_findings_are_left_out(fake_insights, pressed):
    """Only the check here leaves them out, so that Security Hub returns them all."""
    fake_insights.page = 1
    filters = {"ResourceId": [{"Value": "public", "Comparison": "CONTAINS"}]}
    fake_insights.insight_or_error = Insight(filters=filters, group_by_attribute="ResourceId")
    fake_insights.stored = [finding(0, "a", "public", severity=90), *(finding(n, "a") for n in range(1, 90))]
    resolved = fake_insights.resolver().resolve(pressed(a=90), not_done="nothing was done")
    assert (ids(resolved), resolved.is_cut) == (["finding/000"], True)
    del fake_insights.stored[0]
    other = replace(pressed(a=90), event_id="other")
    said = fake_insights.resolver().resolve(other, not_done="nothing was done")
    assert "None of the first 6,000 findings" in said


def test_another_attempt_acts_on_the_same_findings_as_they_are_now(fake_insights, pressed):
    """What the first attempt did may let them no longer match, and others take their place."""
    fake_insights.insight_or_error = Insight(filters=OPEN, group_by_attribute="ResourceId")
    fake_insights.stored = [finding(number, "a", severity=99 - number) for number in range(50)]
    event = pressed(a=50)
    resolver = fake_insights.resolver(max_findings=25)
    first = resolver.resolve(event, not_done="nothing was done")
    for one in fake_insights.stored[:25]:
        one["Workflow"]["Status"] = "SUPPRESSED"
    del fake_insights.stored[3]
    again = resolver.resolve(event, not_done="nothing was done")
    assert ids(again) == [id_ for id_ in ids(first) if id_ != "finding/003"]
    assert {one.workflow_status for one in again.findings} == {"SUPPRESSED"}
    assert again.is_cut
    another_press = resolver.resolve(replace(event, event_id="another"), not_done="nothing was done")
    assert ids(another_press) == [f"finding/{number:03}" for number in range(25, 50)]


def test_a_dead_letter_that_is_replayed_days_later_is_about_the_same_findings(
    fake_insights, memory_store, pressed
):
    """What has come to match the insight since then, nobody has selected."""
    fake_insights.insight_or_error = Insight(filters=OPEN, group_by_attribute="ResourceId")
    fake_insights.stored = [finding(1, "a")]
    first = fake_insights.resolver().resolve(pressed(a=1), not_done="nothing was done")
    fake_insights.stored.append(finding(2, "a"))
    memory_store.seconds += 13 * 24 * 3600
    again = fake_insights.resolver().resolve(pressed(a=1), not_done="nothing was done")
    assert ids(again) == ids(first) == ["finding/001"]


def test_a_finding_that_was_created_after_the_press_is_not_of_it(fake_insights, pressed):
    """The first attempt that succeeds can be a late one."""
    event = pressed(a=1)
    fake_insights.stored = [
        finding(1, "a", CreatedAt=(event.time - timedelta(seconds=1)).isoformat()),
        finding(2, "a", CreatedAt=(event.time + timedelta(seconds=1)).isoformat()),
        finding(3, "a", CreatedAt="unknown"),
    ]
    assert ids(fake_insights.resolver().resolve(event, not_done="nothing was done")) == [
        "finding/001",
        "finding/003",
    ]


def test_another_attempt_knows_what_was_settled_since_the_first_one(fake_insights, pressed):
    fake_insights.stored = [
        finding(1, "a"),
        finding(2, "a", workflow="SUPPRESSED"),
        finding(3, "a"),
        finding(4, "a", workflow="RESOLVED"),
    ]
    event = pressed(a=4)
    first = fake_insights.resolver().resolve(event, not_done="nothing was done")
    assert first.settled_since == frozenset()
    fake_insights.stored[0]["Workflow"]["Status"] = "SUPPRESSED"
    fake_insights.stored[2]["RecordState"] = "ARCHIVED"
    fake_insights.stored[3]["Workflow"]["Status"] = "NEW"
    again = fake_insights.resolver().resolve(event, not_done="nothing was done")
    assert again.settled_since == {(PRODUCT, "finding/001"), (PRODUCT, "finding/003")}


def test_a_finding_or_a_result_that_cannot_be_read_is_reported(fake_insights, pressed):
    fake_insights.stored = [finding(1, "a"), finding(2, "a", AwsAccountId="1")]
    unreadable = MalformedItem(index=1, id=None, reason="No text")
    event = replace(pressed(a=2), malformed_results=(unreadable,))
    resolved = fake_insights.resolver().resolve(event, not_done="nothing was done")
    assert ids(resolved) == ["finding/001"]
    result, item = resolved.malformed_findings
    assert result == unreadable
    assert item.id == "finding/002"
    assert "AwsAccountId must be a string of 12 digits" in item.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda fake: setattr(fake, "insight_or_error", InsightNotResolvedError("It was deleted.")),
            "It was deleted.",
        ),
        (
            lambda fake: setattr(
                fake, "insight_or_error", Insight(filters={}, group_by_attribute="AwsAccountId")
            ),
            "now groups by AwsAccountId instead of ResourceId",
        ),
        (
            lambda fake: setattr(
                fake,
                "insight_or_error",
                Insight(filters={"Keyword": [{"Value": "x"}]}, group_by_attribute="ResourceId"),
            ),
            "the attribute Keyword, which isn't known here",
        ),
        (lambda fake: fake.stored.clear(), "No finding matches the insight with these results any longer"),
    ],
)
def test_what_cannot_be_determined_is_said_in_a_notice(fake_insights, pressed, change, reason):
    fake_insights.stored = [finding(1, "a")]
    change(fake_insights)
    event = pressed(a=1)
    said = fake_insights.resolver().resolve(event, not_done="no ticket was opened")
    assert said.startswith("The findings of the insight's results could not be determined, so no ticket was")
    assert reason in said
    (message,) = fake_insights.messages
    assert message.subject == (
        "Security Hub: nothing done for insight S3 buckets with public write or read permissions"
    )
    for named in (said, event.insight_arn, event.action_arn, event.event_id, event.account, "ResourceId"):
        assert named in message.body


def test_an_attribute_that_no_filter_expresses_is_said(fake_insights, pressed):
    fake_insights.insight_or_error = Insight(filters={}, group_by_attribute="ResourceTags")
    event = replace(pressed(prod=1), result_type="ResourceTags")
    assert "one value of ResourceTags" in fake_insights.resolver().resolve(event, not_done="nothing was done")


def test_results_of_which_none_can_be_read_are_said(fake_insights, pressed):
    unreadable = MalformedItem(index=0, id=None, reason="No text.")
    event = replace(pressed(), malformed_results=(unreadable,))
    said = fake_insights.resolver().resolve(event, not_done="nothing was done")
    assert said.endswith("None of the selected results can be read. No text.")


def test_findings_of_the_same_severity_are_ordered_by_what_identifies_them(fake_insights, pressed):
    values = [f"bucket-{number}" for number in range(41)]
    fake_insights.stored = [
        finding(3, "bucket-0", severity=40),
        finding(2, "bucket-25"),
        finding(1, "bucket-40"),
        finding(4, "bucket-40", severity=90),
    ]
    event = pressed(**dict.fromkeys(values, 1))
    resolved = fake_insights.resolver().resolve(event, not_done="nothing was done")
    assert ids(resolved) == ["finding/004", "finding/001", "finding/002", "finding/003"]


def test_a_press_without_an_action_is_said(fake_insights, pressed):
    event = replace(pressed(a=1), action_arn=None)
    assert "names no custom action" in fake_insights.resolver().resolve(event, not_done="nothing was done")


def test_without_a_topic_the_event_fails_so_that_it_is_kept(fake_insights, pressed):
    with pytest.raises(InsightNotResolvedError, match=r"so nothing was done\. No finding matches"):
        fake_insights.resolver(has_topic=False).resolve(pressed(a=1), not_done="nothing was done")


def test_what_fails_for_a_while_is_raised_and_resolved_by_the_next_attempt(fake_insights, pressed):
    insight = fake_insights.insight_or_error
    fake_insights.insight_or_error, fake_insights.stored = ConnectionError(), [finding(1, "a")]
    resolver, event = fake_insights.resolver(), pressed(a=1)
    with pytest.raises(ConnectionError):
        resolver.resolve(event, not_done="nothing was done")
    assert fake_insights.messages == []
    fake_insights.insight_or_error = insight
    assert ids(resolver.resolve(event, not_done="nothing was done")) == ["finding/001"]


@pytest.mark.parametrize("name", ["custom_action_1_finding", "findings_imported"])
def test_every_other_event_stays_as_it_is(fake_insights, load_event, name):
    event = parse_event(load_event(name))
    assert fake_insights.resolver().resolve(event, not_done="nothing was done") is event
    assert counts_of(event) == {}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("INSIGHT_MAX_FINDINGS", "0", "a whole number from 1 to 500"),
        ("INSIGHT_MAX_FINDINGS", "501", "a whole number from 1 to 500"),
        ("INSIGHT_MAX_FINDINGS", "many", "a whole number from 1 to 500"),
        ("NOTICE_TOPIC_ARN", "digests", "the ARN of a standard SNS topic, or empty"),
    ],
)
def test_a_wrong_setting_is_refused(fake_insights, memory_store, name, value, allowed):
    with pytest.raises(ValueError, match=f"{name} must be {allowed}, but is '{value}'"):
        InsightFindings.from_environment({name: value}, reader=fake_insights, once=memory_store.once)


@pytest.mark.parametrize("limit", ["1", "99", "100", "499", "500"])
def test_every_limit_up_to_500_is_accepted(fake_insights, memory_store, limit):
    environment = {"INSIGHT_MAX_FINDINGS": limit}
    resolver = InsightFindings.from_environment(environment, reader=fake_insights, once=memory_store.once)
    assert resolver._max_findings == int(limit)
