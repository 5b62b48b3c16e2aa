from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.summary import tally as module
from functions.summary.figures import SEVERITIES
from functions.summary.open_findings import SUPPRESSED, OpenFindings, Seen, number_of, seen
from functions.summary.tally import OTHERS, Period, Tally, day_of
from tests.hypothesis_profiles import examples
from tests.summaries import NOW, finding

OVERDUE = (7, 30, 90, 180, 0)


def period(previous=None, *, scheduled=NOW):
    return Period.until(scheduled, length=timedelta(days=1), previous=previous, overdue_days=OVERDUE)


def tally_of(*findings, previous=None):
    tally = Tally()
    for one in findings:
        tally.add(one, period(previous))
    return tally


def previous_of(*findings, days_ago=1, day=None):
    """What was open in a summary some days ago."""
    scheduled = NOW - timedelta(days=days_ago)
    tally = Tally()
    for one in findings:
        tally.add(one, period(scheduled=scheduled))
    kept = tally.seen if day is None else {key: Seen(day=day, severity=0) for key in tally.seen}
    return OpenFindings(scheduled, kept)


def test_open_findings_are_counted_by_severity():
    tally = tally_of(*(finding(index, severity=severity) for index, severity in enumerate(SEVERITIES)))
    assert tally.by_severity("open") == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"RecordState": "ARCHIVED"},
        {"Workflow": {"Status": "RESOLVED"}},
        {"Compliance": {"Status": "PASSED"}},
        {"Compliance": {"Status": "NOT_AVAILABLE"}},
    ],
)
def test_what_is_settled_is_not_open(changes):
    tally = tally_of(finding(1, **changes))
    assert (sum(tally.by_severity("open")), tally.suppressed) == (0, 0)


@pytest.mark.parametrize(
    "changes",
    [{"Workflow": {"Status": "NOTIFIED"}}, {"Compliance": {"Status": "WARNING"}}, {"Compliance": None}],
)
def test_what_may_need_work_is_open(changes):
    assert sum(tally_of(finding(1, **changes)).by_severity("open")) == 1


def test_a_finding_without_a_known_severity_counts_as_the_least_severe():
    tally = tally_of(finding(1, Severity={"Label": "HUGE"}), finding(2, Severity={}))
    assert tally.by_severity("open") == (0, 0, 0, 0, 2)


def test_a_finding_that_is_returned_twice_counts_once():
    assert sum(tally_of(finding(1), finding(1, severity="LOW")).by_severity("open")) == 1


def test_suppressed_findings_are_counted_and_not_open():
    tally = tally_of(finding(1, Workflow={"Status": "SUPPRESSED"}), finding(2))
    assert (tally.suppressed, sum(tally.by_severity("open"))) == (1, 1)


@pytest.mark.parametrize(
    ("severity", "age_days", "is_overdue"),
    [
        ("CRITICAL", 7, False),
        ("CRITICAL", 8, True),
        ("HIGH", 30, False),
        ("HIGH", 31, True),
        ("LOW", 181, True),
        ("INFORMATIONAL", 5000, False),
    ],
)
def test_a_finding_is_overdue_when_it_is_older_than_the_limit_of_its_severity(severity, age_days, is_overdue):
    tally = tally_of(finding(1, severity=severity, age_days=age_days))
    assert sum(tally.by_severity("overdue")) == is_overdue


@pytest.mark.parametrize(
    ("age_days", "group"), [(0, 0), (7, 0), (8, 1), (30, 1), (31, 2), (90, 2), (91, 3), (4000, 3)]
)
def test_findings_are_grouped_by_age(age_days, group):
    ages = tally_of(finding(1, age_days=age_days)).ages
    assert [sum(one) for one in ages] == [int(index == group) for index in range(4)]


@pytest.mark.parametrize("created", ["9999-01-01T00:00:00Z", "soon", "2026-03-01T00:00:00", None, 5])
def test_a_time_that_makes_no_sense_makes_a_finding_new_and_not_old(created):
    tally = tally_of(finding(1, CreatedAt=created))
    assert sum(tally.ages[0]) == 1
    assert sum(tally.by_severity("overdue")) == 0


def test_in_the_first_summary_what_was_created_in_the_period_is_new():
    tally = tally_of(finding(1, age_days=0.5), finding(2, age_days=1.5))
    assert sum(tally.by_severity("new")) == 1


def test_afterwards_what_was_not_open_before_is_new():
    old, late = finding(1, age_days=50), finding(2, age_days=50)
    tally = tally_of(old, late, previous=previous_of(old))
    assert sum(tally.by_severity("new")) == 1


@pytest.mark.parametrize("status", ["NEW", "NOTIFIED"])
def test_what_failed_and_could_not_be_checked_again_is_still_open(status):
    unchecked = {"Compliance": {"Status": "NOT_AVAILABLE"}, "Workflow": {"Status": status}}
    failed = finding(1, severity="CRITICAL", age_days=400)
    previous = previous_of(failed)
    tally = tally_of(finding(1, severity="INFORMATIONAL", age_days=400, **unchecked), previous=previous)
    assert (tally.by_severity("open"), tally.by_severity("new")) == ((1, 0, 0, 0, 0), (0, 0, 0, 0, 0))
    assert tally.changes_since(previous) == ((0, 0, 0, 0, 0), 0)
    assert tally.seen[number_of(failed)] == previous.find(number_of(failed))


def test_what_was_suppressed_and_could_not_be_checked_is_not_open():
    previous = previous_of(finding(1, Workflow={"Status": "SUPPRESSED"}))
    tally = tally_of(finding(1, Compliance={"Status": "NOT_AVAILABLE"}), previous=previous)
    assert sum(tally.by_severity("open")) == 0


def test_what_was_open_and_cannot_be_read_is_neither_fixed_nor_new_when_it_can_be_again():
    one, number = finding(1, age_days=400), number_of(finding(1))
    previous = previous_of(one)
    tally = Tally()
    tally.leave_out(number, period(previous))
    assert tally.changes_since(previous) == ((0, 0, 0, 0, 0), 0)
    assert sum(tally.by_severity("open")) == 0
    again = tally_of(one, previous=OpenFindings(NOW - timedelta(days=1), tally.seen))
    assert sum(again.by_severity("new")) == 0
    tally.leave_out(2, period(previous))
    assert list(tally.seen) == [number]


def test_a_control_that_fails_again_is_new_and_its_age_begins_again():
    again = finding(1, severity="CRITICAL", age_days=400)
    tally = tally_of(again, previous=previous_of(finding(2)))
    assert (tally.by_severity("new")[0], tally.by_severity("overdue")[0]) == (1, 0)
    assert tally.seen[number_of(again)].day == day_of(NOW)


def test_the_age_counts_from_when_the_finding_was_first_open():
    one = finding(1, severity="CRITICAL", age_days=400)
    today = day_of(NOW)
    for days, is_overdue in ((7, 0), (8, 1)):
        tally = tally_of(one, previous=previous_of(one, day=today - days))
        assert tally.by_severity("overdue")[0] == is_overdue
        assert tally.seen[number_of(one)].day == today - days


def test_what_is_open_no_longer_is_fixed_by_its_last_severity():
    gone, still = finding(1, severity="CRITICAL"), finding(2)
    previous = previous_of(gone, still, finding(3, severity="LOW"))
    assert tally_of(still, previous=previous).changes_since(previous) == ((1, 0, 0, 1, 0), 0)


def test_what_was_suppressed_is_not_fixed():
    one = finding(1)
    previous = previous_of(one)
    tally = tally_of(finding(1, Workflow={"Status": "SUPPRESSED"}), previous=previous)
    assert tally.changes_since(previous) == ((0, 0, 0, 0, 0), 1)


def test_what_was_suppressed_before_is_neither_fixed_nor_newly_suppressed():
    suppressed = finding(1, Workflow={"Status": "SUPPRESSED"})
    previous = previous_of(suppressed, finding(2, Workflow={"Status": "SUPPRESSED"}))
    assert tally_of(suppressed, previous=previous).changes_since(previous) == ((0, 0, 0, 0, 0), 0)


def test_what_is_suppressed_no_longer_is_new():
    one = finding(1, age_days=100)
    previous = previous_of(finding(1, Workflow={"Status": "SUPPRESSED"}))
    assert sum(tally_of(one, previous=previous).by_severity("new")) == 1


def test_a_finding_whose_severity_changed_is_neither_new_nor_fixed():
    previous = previous_of(finding(1, severity="LOW"))
    tally = tally_of(finding(1, severity="CRITICAL"), previous=previous)
    assert sum(tally.by_severity("new")) == 0
    assert tally.changes_since(previous) == ((0, 0, 0, 0, 0), 0)


def test_accounts_and_controls_come_with_their_names_the_most_severe_first():
    tally = tally_of(
        finding(1, account="111122223333"),
        finding(2, account="111122223333"),
        finding(3, account="444455556666", severity="CRITICAL", control="EC2.19"),
    )
    accounts, count = tally.groups("accounts")
    assert count == 2
    assert [(one.key, one.name, one.open) for one in accounts] == [
        ("444455556666", "name of 444455556666", (1, 0, 0, 0, 0)),
        ("111122223333", "name of 111122223333", (0, 2, 0, 0, 0)),
    ]
    controls, _ = tally.groups("controls")
    assert [(one.key, one.name) for one in controls] == [
        ("EC2.19", "Title of the control"),
        ("S3.8", "Title of the control"),
    ]


def test_only_findings_of_security_hub_are_about_controls_others_count_by_product():
    products = ("::product/aws/guardduty", ":111122223333:product/111122223333/default")
    tally = tally_of(
        *(
            finding(index, ProductArn=f"arn:aws:securityhub:eu-west-1{product}")
            for index, product in enumerate(products)
        )
    )
    controls, _ = tally.groups("controls")
    assert {(one.key, one.name) for one in controls} == {
        ("aws/guardduty", None),
        ("111122223333/default", None),
    }


def test_however_many_accounts_findings_name_the_memory_is_bounded_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUPS", 3)
    tally = tally_of(*(finding(number, account=f"{number:012}") for number in range(10)))
    accounts, count = tally.groups("accounts")
    assert count == 4
    assert {one.key: sum(one.open) for one in accounts}[OTHERS] == 7


@examples(1)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(SEVERITIES),
            st.sampled_from(["NEW", "NOTIFIED", "SUPPRESSED", "RESOLVED"]),
            st.integers(0, 400),
        ),
        max_size=40,
    ),
    st.integers(0, 40),
)
def test_every_finding_is_in_every_total_once_however_the_count_is_interrupted(given_findings, at):
    findings = [
        finding(number, severity=severity, age_days=age, Workflow={"Status": status})
        for number, severity, status, age in given_findings
    ]
    tally = tally_of(*findings[:at])
    tally = Tally.from_json(json.loads(json.dumps(tally.to_json(NOW))))
    for one in findings[at:]:
        tally.add(one, period())
    first = {}
    for one in findings:
        if one.workflow_status != "RESOLVED":
            first.setdefault(one.id, one)
    is_open = Counter(one.severity_label for one in first.values() if one.workflow_status != "SUPPRESSED")
    assert tally.by_severity("open") == tuple(is_open[severity] for severity in SEVERITIES)
    assert tally.suppressed == len(first) - sum(is_open.values())
    for total in (
        [sum(one) for one in zip(*tally.ages, strict=True)],
        *(
            [sum(one) for one in zip(*(group.open for group in tally.groups(kind)[0]), strict=True)]
            for kind in ("accounts", "controls")
            if is_open
        ),
    ):
        assert tuple(total) == tally.by_severity("open")


@examples(1)
@given(
    st.dictionaries(st.integers(0, 2**64 - 1), st.tuples(st.integers(0, 65_535), st.integers(0, SUPPRESSED)))
)
def test_what_was_open_is_found_again_after_it_was_stored(kept):
    stored = OpenFindings(
        NOW, {key: Seen(day=day, severity=severity) for key, (day, severity) in kept.items()}
    )
    again = OpenFindings.from_json(json.loads(json.dumps(stored.to_json())))
    assert again.scheduled == NOW
    for key, (day, severity) in kept.items():
        assert again.find(key) == Seen(day=day, severity=severity)
        assert (key + 1 in kept) or again.find(key + 1) is None
    assert dict(again.severities()) == {key: severity for key, (_, severity) in kept.items()}


def test_what_was_open_is_refused_in_another_version():
    with pytest.raises(ValueError, match="schema 2 instead of 1"):
        OpenFindings.from_json({**OpenFindings(NOW, {}).to_json(), "schema": 2})


def test_days_that_findings_make_up_are_not_kept_for_good():
    for day in range(30_000):
        seen(day, 0)
    assert seen.cache_info().currsize <= 20_000
