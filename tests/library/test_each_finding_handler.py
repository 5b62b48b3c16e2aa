"""The function of `targets.EachFinding`: one event for each finding, none lost, always the same."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.each_finding_handler import accounts, sending, summary
from securityhub_actions.each_finding_handler.accounts import AccountNames
from securityhub_actions.each_finding_handler.handler import SOURCE, EachFinding
from securityhub_actions.each_finding_handler.parts import UnusableEventError, take_apart
from securityhub_actions.each_finding_handler.sending import NotSentError, entry_bytes
from securityhub_actions.event_names import EACH_FINDING_SOURCE
from tests.hypothesis_profiles import examples

EVENTS = Path(__file__).resolve().parents[1] / "events"
ROUTE = "Stack/Notify/Rule/EachFinding"
FILES = {file.stem: json.loads(file.read_text()) for file in sorted(EVENTS.glob("*.json"))}
SUMMARY_MEMBERS = {
    *("key", "issue", "title", "description", "severity", "account", "accountName", "region", "control"),
    *("resourceType", "resource", "findingId", "product", "link", "text"),
    "opsItemDedup",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def payload(name="custom_action_1_finding", **changes):
    return {**copy.deepcopy(FILES[name]), "route": ROUTE, **changes}


def press_on(*findings, **changes):
    event = payload(**changes)
    event["detail"]["findings"] = list(findings)
    return event


def finding(**changes):
    (sample,) = FILES["custom_action_1_finding"]["detail"]["findings"]
    return {**copy.deepcopy(sample), **changes}


def summary_of(event, **settings):
    (detail,) = take_apart(event, **settings)
    return detail["summary"]


@dataclass
class Bus:
    """EventBridge's PutEvents: takes entries, or fails as it is told.

    Attributes:
        taken: the entries it took.
        fail: called with the number of the call and an entry; its answer is an error code, or None.
        crash_after: the number of calls after which the function is killed.
    """

    taken: list = field(default_factory=list)
    sizes: list = field(default_factory=list)
    fail: object = lambda _call, _entry: None
    crash_after: int | None = None

    def put_events(self, Entries):  # noqa: N803 - boto3's name
        assert 1 <= len(Entries) <= 10
        assert sum(map(entry_bytes, Entries)) <= 256 * 1024 or len(Entries) == 1
        self.sizes.append(len(Entries))
        results = []
        for entry in Entries:
            assert not entry["Source"].startswith("aws.")
            code = self.fail(len(self.sizes), entry)
            if code is None:
                self.taken.append(entry)
            results.append({"EventId": "id"} if code is None else {"ErrorCode": code, "ErrorMessage": "no"})
        if self.crash_after == len(self.sizes):
            raise SystemExit  # nothing that the function could catch
        return {"FailedEntryCount": sum("ErrorCode" in one for one in results), "Entries": results}

    @property
    def keys(self):
        return [json.loads(entry["Detail"])["summary"]["key"] for entry in self.taken]


class Context:
    """An invocation with some seconds left, which only sleeping takes."""

    def __init__(self, seconds=120):
        self.seconds = seconds
        self.slept = []

    def get_remaining_time_in_millis(self):
        return int(self.seconds * 1000)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds -= seconds


def send(event, bus, context=None, account_name=lambda _: None):
    context = context or Context()
    each = EachFinding(bus="bus", put_events=bus.put_events, account_name=account_name, sleep=context.sleep)
    return each.send(event, context)


@pytest.mark.parametrize("name", FILES)
def test_each_finding_and_each_result_is_sent_once(name):
    event, bus = payload(name), Bus()
    items = event["detail"].get("findings") or event["detail"]["insightResults"]
    assert send(event, bus) == {"sent": len(items)}
    details = [json.loads(entry["Detail"]) for entry in bus.taken]
    assert [(one.get("findings") or one["insightResults"]) for one in details] == [[item] for item in items]


@pytest.mark.parametrize("name", FILES)
def test_an_entry_has_the_envelope_of_the_event_and_a_source_of_its_own(name):
    event, bus = payload(name), Bus()
    send(event, bus)
    for entry in bus.taken:
        assert (entry["Source"], entry["EventBusName"]) == (SOURCE, "bus")
        assert (entry["DetailType"], entry["Resources"]) == (event["detail-type"], event["resources"])
        assert entry["Time"] == datetime.fromisoformat(event["time"])
    assert SOURCE == EACH_FINDING_SOURCE


def test_what_the_event_says_of_the_press_stays_in_each_detail():
    event = payload("custom_action_20_findings")
    for detail in take_apart(event):
        assert detail["actionName"] == event["detail"]["actionName"]
        assert detail["route"] == ROUTE


@pytest.mark.parametrize("name", FILES)
def test_an_event_that_was_taken_apart_before_is_sent_again_as_it_was(name):
    first = payload(name)
    for detail in list(take_apart(first)):
        again = {**first, "id": "another", "source": SOURCE, "detail": detail, "route": detail["route"]}
        assert list(take_apart(again)) == [detail]


@pytest.mark.parametrize("name", FILES)
def test_each_summary_has_the_same_members_and_none_is_empty(name):
    for detail in take_apart(payload(name)):
        assert detail["summary"].keys() == SUMMARY_MEMBERS
        assert all(isinstance(text, str) and text for text in detail["summary"].values())


def test_the_summary_of_a_finding_says_where_it_is_and_what_it_is_about():
    said = summary_of(payload())
    assert said == {
        **said,
        "title": "S3 general purpose buckets should block public access",
        "severity": "CRITICAL",
        "account": "111122223333",
        "accountName": "example-security",
        "region": "eu-west-1",
        "control": "S3.8",
        "resourceType": "AwsS3Bucket",
        "resource": "arn:aws:s3:::example-reports-01",
        "key": "6f0c0002-3b1d-4e57-8a92-c1d7e5f0000e/0",
    }
    assert "Control: S3.8\n" in said["text"]


def test_the_summary_of_an_ocsf_finding_says_the_same():
    said = summary_of(payload("findings_imported_v2"))
    assert said == {
        **said,
        "title": "S3 general purpose buckets should block public access",
        "severity": "High",
        "account": "444455556666",
        "accountName": "example-workload",
        "region": "eu-west-1",
        "control": "S3.8",
        "resource": "arn:aws:s3:::example-reports-42",
    }


def test_the_summary_of_a_result_says_the_value_and_how_many_findings_it_has():
    said = next(iter(take_apart(payload("insight_results_few"))))["summary"]
    assert (
        said["title"] == "S3 buckets with public write or read permissions: arn:aws:s3:::example-reports-01"
    )
    assert said["description"] == "12 findings with ResourceId arn:aws:s3:::example-reports-01"
    assert (said["account"], said["resource"]) == ("111122223333", "arn:aws:s3:::example-reports-01")
    assert said["link"].endswith("securityhub/home?region=eu-west-1#/insights")


@pytest.mark.parametrize(
    ("arn", "region", "start"),
    [
        ("arn:aws:x", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/securityhub/"),
        ("arn:aws-cn:x", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/securityhub/"),
        ("arn:aws-us-gov:x", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
        ("0f3a", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/securityhub/"),
        ("0f3a", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
        ("0f3a", "us-east-1", "https://us-east-1.console.aws.amazon.com/securityhub/"),
        ("arn:aws-iso:x", "us-iso-east-1", "https://aws.amazon.com/security-hub/"),
        ("0f3a", "us-iso-east-1", "https://aws.amazon.com/security-hub/"),
        ("arn:aws:x", "evil.example/", "https://aws.amazon.com/security-hub/"),
    ],
)
def test_the_link_leads_into_the_console_of_the_partition(arn, region, start):
    assert summary_of(payload(resources=[arn], region=region))["link"].startswith(start)


def test_the_link_searches_for_the_finding():
    link = summary_of(press_on(finding(Id="arn:x/finding&1")))["link"]
    assert link.endswith(
        "#/findings?search=Id%3D%255Coperator%255C%253AEQUALS%255C%253Aarn%3Ax%2Ffinding%261"
    )


def test_the_name_of_an_account_is_that_of_the_organization_or_else_that_in_the_finding():
    names = {"111122223333": "Production"}
    assert summary_of(payload(), account_name=names.get)["accountName"] == "Production"
    assert summary_of(payload(), account_name=lambda _: None)["accountName"] == "example-security"
    assert summary_of(press_on(finding(AwsAccountName=None)))["accountName"] == summary.ABSENT


def test_a_title_fits_on_the_one_line_that_jira_allows():
    said = summary_of(press_on(finding(Title="\n".join(["long"] * 100))))
    assert len(said["title"]) == 255
    assert "\n" not in said["title"]


def test_an_issue_fits_into_the_key_that_pagerduty_allows_and_differs_by_finding():
    longest = [summary_of(press_on(finding(Id="x" * 500 + end)))["issue"] for end in "ab"]
    assert all(len(issue) <= 255 for issue in longest)
    assert longest[0] != longest[1]
    assert summary_of(payload())["issue"] == summary_of(payload())["findingId"]


@examples(0.5)
@given(
    items=st.lists(
        JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(["Id", "Title", "Severity"], JSON))
    ),
    name=st.sampled_from(sorted(FILES)),
    more=st.dictionaries(st.sampled_from(["id", "time", "region", "account", "resources"]), JSON),
)
def test_no_item_is_lost_whatever_it_is_and_each_summary_is_complete(items, name, more):
    event, bus = payload(name, **more), Bus()
    member = "insightResults" if "insightResults" in event["detail"] else "findings"
    event["detail"][member] = items
    if not items:
        with pytest.raises(UnusableEventError):
            send(event, bus)
        return
    assert send(event, bus) == {"sent": len(items)}
    details = [json.loads(entry["Detail"]) for entry in bus.taken]
    assert [one[member] for one in details] == [[item] for item in items]
    assert all(one["summary"].keys() == SUMMARY_MEMBERS and all(one["summary"].values()) for one in details)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        payload(route=None),
        payload(**{"detail-type": "EC2 Instance State-change Notification"}),
        payload(**{"detail-type": ["x"]}),
        payload(detail=None),
        payload(detail={"findings": {}}),
        press_on(),
    ],
)
def test_an_event_that_cannot_be_taken_apart_is_an_error_and_never_silently_dropped(event):
    with pytest.raises(UnusableEventError):
        send(event, Bus())


def test_a_half_of_a_surrogate_pair_is_sent_as_json_can_have_it():
    bus = Bus()
    send(press_on(finding(Title="\ud83d"), finding(Title="日本語")), bus)
    assert json.loads(bus.taken[0]["Detail"])["findings"][0]["Title"] == "\ud83d"
    assert "日本語" in bus.taken[1]["Detail"]


def test_ten_entries_share_a_request():
    bus = Bus()
    send(payload("custom_action_20_findings"), bus)
    assert bus.sizes == [10, 10]


def test_large_findings_share_fewer_requests_than_eventbridge_takes():
    bus = Bus()
    large = [finding(Id=str(number), Description="x" * 100_000) for number in range(6)]
    send(press_on(*large), bus)
    assert bus.sizes == [2, 2, 2]


def test_what_eventbridge_fails_to_take_is_sent_again_alone():
    bus = Bus(fail=lambda call, entry: "InternalFailure" if call < 3 and "/3" in entry["Detail"] else None)
    context = Context()
    send(payload("custom_action_20_findings"), bus, context)
    assert Counter(bus.keys) == Counter(set(bus.keys))
    assert len(bus.keys) == 20
    assert context.slept


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "PutEvents"),
        EndpointConnectionError(endpoint_url="https://events"),
    ],
)
def test_a_request_that_fails_is_made_again(error):
    bus = Bus()
    answers = iter([error, None, error, None])

    def put_events(**request):
        if (answer := next(answers)) is not None:
            raise answer
        return bus.put_events(**request)

    context = Context()
    EachFinding(bus="bus", put_events=put_events, account_name=lambda _: None, sleep=context.sleep).send(
        payload("custom_action_20_findings"), context
    )
    assert len(set(bus.keys)) == len(bus.keys) == 20


def test_an_entry_for_which_eventbridge_refuses_the_whole_request_does_not_keep_the_others():
    bus = Bus()
    refusal = ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, "PutEvents")

    def put_events(**request):
        if any("/3" in json.loads(entry["Detail"])["summary"]["key"] for entry in request["Entries"]):
            raise refusal
        return bus.put_events(**request)

    context = Context(60)
    each = EachFinding(bus="bus", put_events=put_events, account_name=lambda _: None, sleep=context.sleep)
    with pytest.raises(NotSentError, match=r"1 of 20 .* number 4: .*ValidationException"):
        each.send(payload("custom_action_20_findings", id="6f0c"), context)
    assert sorted(bus.keys) == sorted(f"6f0c/{number}" for number in range(20) if number != 3)


def test_what_is_not_taken_until_the_time_is_up_is_an_error_that_names_it_and_the_others_are_sent():
    bus = Bus(
        fail=lambda _, entry: (
            "Refused" if '"key":"6f0c0003' in entry["Detail"] and "/6" in entry["Detail"] else None
        )
    )
    event = payload("custom_action_20_findings", id="6f0c0003")
    with pytest.raises(NotSentError, match=r"1 of 20 .* number 7: Refused") as caught:
        send(event, bus, Context(60))
    assert len(set(bus.keys)) == 19
    assert "number 8" not in str(caught.value)


def test_an_entry_that_is_too_large_is_told_and_does_not_keep_the_others():
    bus = Bus()
    context = Context()
    with pytest.raises(NotSentError, match=r"number 2: it has 1,0\d\d,\d{3} bytes, and EventBridge takes"):
        send(press_on(finding(), finding(Description="x" * 1024 * 1024), finding()), bus, context)
    assert [key.partition("/")[2] for key in bus.keys] == ["0", "2"]
    assert not context.slept, "it never becomes smaller"


@pytest.mark.parametrize("crash_after", [1, 2])
def test_after_a_crash_in_the_middle_each_finding_arrives_and_those_sent_again_are_the_same(crash_after):
    event, bus = payload("custom_action_20_findings"), Bus(crash_after=crash_after)
    with pytest.raises(SystemExit):
        send(event, bus)
    bus.crash_after = None
    send(event, bus)
    assert len(set(bus.keys)) == 20
    assert list(Counter(bus.keys).values()).count(2) == 10 * crash_after
    by_key = {}
    for key, entry in zip(bus.keys, bus.taken, strict=True):
        assert by_key.setdefault(key, entry) == entry


class Organizations:
    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def describe_account(self, AccountId):  # noqa: N803 - boto3's name
        self.asked.append(AccountId)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Account": {"Id": AccountId, "Name": self.answer}}


def names_from(answer):
    organizations, clock = Organizations(answer), [0.0]
    return AccountNames(organizations.describe_account, lambda: clock[0]), organizations, clock


def test_a_name_is_asked_for_once_an_hour():
    names, organizations, clock = names_from("Production")
    assert [names.of("111122223333") for _ in range(3)] == ["Production"] * 3
    assert len(organizations.asked) == 1
    clock[0] = accounts.KNOWN_SECONDS
    names.of("111122223333")
    assert len(organizations.asked) == 2


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeAccount"),
        EndpointConnectionError(endpoint_url="https://organizations"),
    ],
)
def test_where_organizations_does_not_answer_it_is_not_asked_for_each_account(error):
    names, organizations, clock = names_from(error)
    assert [names.of(account) for account in ("111122223333", "444455556666")] == [None, None]
    assert len(organizations.asked) == 1
    clock[0], organizations.answer = accounts.UNKNOWN_SECONDS, "Production"
    assert names.of("444455556666") == "Production"


def test_an_account_outside_the_organization_does_not_keep_others_from_having_names():
    code = {"Error": {"Code": "AccountNotFoundException", "Message": "no"}}
    names, organizations, _ = names_from(ClientError(code, "DescribeAccount"))
    assert names.of("111122223333") is None
    organizations.answer = "Production"
    assert names.of("444455556666") == "Production"


def test_only_the_latest_accounts_are_kept(monkeypatch):
    monkeypatch.setattr(accounts, "MOST_KEPT", 1)
    names, organizations, _ = names_from("Production")
    asked = ["111122223333", "444455556666", "111122223333"]
    assert [names.of(account) for account in asked for _ in range(2)] == ["Production"] * 6
    assert organizations.asked == asked


def test_only_the_number_of_an_account_is_asked_for():
    names, organizations, _ = names_from("x")
    assert names.of("1111 OR 1=1") is None
    assert organizations.asked == []


def test_the_size_of_an_entry_is_what_eventbridge_calculates():
    entry = {
        "Source": "s",
        "DetailType": "dé",
        "Detail": "{}",
        "Resources": ["ab", "c"],
        "EventBusName": "bus",
    }
    assert entry_bytes(entry) == 1 + 3 + 2 + 3
    assert entry_bytes({**entry, "Time": datetime.now(UTC)}) == 9 + 14
    assert sending.MAX_ENTRY_BYTES < 1024 * 1024
