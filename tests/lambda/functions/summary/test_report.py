from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from functions.summary.figures import Expiring, Group, Remediations
from functions.summary.report import bars, local, report_on
from tests.summaries import NOW, figures

ORIGIN = "Account 111122223333, eu-west-1"
PLACE = "s3://bucket/pages/daily/2026-03-09T070000Z.html"


def report(*earlier, timezone="UTC", **changes):
    return report_on(figures(**changes), earlier=earlier, place=PLACE, timezone=timezone, origin=ORIGIN)


def test_it_says_first_what_is_open_and_what_changed():
    made = report()
    assert made.title == "Security Hub daily, Mon 9 Mar 2026 07:00"
    assert made.headline == "1 critical, 2 high, 15 open in total"
    assert made.changes == "Since Sun 8 Mar 2026 07:00: 1 new, 2 fixed. 1 overdue."
    assert made.incomplete == ""


def test_what_is_missing_is_said_in_the_subject_and_what_was_fixed_is_not_guessed():
    made = report(missing=("low findings (there was no time left)",), fixed=None)
    assert made.incomplete.startswith("This summary is incomplete. Not counted: low findings (there")
    assert made.subject.startswith("INCOMPLETE: Security Hub daily")
    assert ", ? fixed." in made.changes


@pytest.mark.parametrize(("schedule", "length"), [("daily", "day"), ("weekly", "week")])
def test_the_first_summary_says_what_new_means(schedule, length):
    made = report(schedule=schedule, since=None, fixed=None)
    assert made.changes == f"First summary: 1 created in the last {length}. 1 overdue."


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [
        ("UTC", "Sun 29 Mar 2026 00:30"),
        ("Europe/Berlin", "Sun 29 Mar 2026 01:30"),
        ("America/Los_Angeles", "Sat 28 Mar 2026 17:30"),
        ("Asia/Kolkata", "Sun 29 Mar 2026 06:00"),
    ],
)
def test_times_are_those_of_the_time_zone(timezone, expected):
    assert local(datetime(2026, 3, 29, 0, 30, tzinfo=UTC), timezone) == expected


def test_daylight_saving_time_is_that_of_the_moment():
    moment = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    hours = [local(moment + timedelta(hours=hour), "Europe/Berlin")[-5:] for hour in range(3)]
    assert hours == ["01:30", "03:30", "04:30"]


def test_dead_letters_failed_remediations_and_suppressions_that_end_are_warnings():
    made = report(
        dead_letters={"Ticketing": 2, "Routing": 0, "Remediation": 1},
        remediations=Remediations(done=1, failed=3),
        expiring=(
            Expiring(name="Late", until=date(2026, 3, 20)),
            Expiring(name="A", until=date(2026, 3, 10)),
        ),
    )
    assert made.warnings == (
        "3 dead letters waiting: Remediation 1, Ticketing 2",
        "3 remediations failed",
        "Suppression ends Tue 10 Mar 2026: A",
        "Suppression ends Fri 20 Mar 2026: Late",
    )
    assert "1 finding remediated" in made.notes


def test_where_nothing_is_wrong_there_is_no_warning():
    assert report().warnings == ()
    assert report().notes == (
        "4 findings remediated",
        "No dead letters waiting",
        "7 suppressed, 1 of them since then",
        ORIGIN,
    )


def test_what_is_not_known_is_not_said_to_be_none():
    made = report(dead_letters=None, remediations=None, newly_suppressed=None)
    assert made.notes == ("7 suppressed", ORIGIN)


def test_findings_that_cannot_be_read_are_mentioned():
    assert "2 findings could not be read and are left out" in report(unreadable=2).notes


def test_the_tables_have_a_row_for_each_severity_and_age():
    severities, ages = report().tables
    assert severities.rows[0] == ("Critical", "1", "1", "0", "0")
    assert [row[0] for row in ages.rows] == ["up to 7 d", "8 to 30 d", "31 to 90 d", "over 90 d"]
    assert ages.rows[0] == ("up to 7 d", "1", "2", "12")
    assert [row[3] for row in report(fixed=None).tables[0].rows] == ["?"] * 5


def test_accounts_and_controls_have_their_counts_and_the_rest_is_counted():
    accounts, controls = report().listings
    (account,) = accounts.entries
    assert (account.count, account.label) == ("3", "111122223333 payments")
    assert account.detail == "1 critical, 2 high, 1 new, 1 overdue"
    assert (accounts.more, controls.more) == ("", "and 2 more")


def test_names_that_others_write_are_on_one_line_without_invisible_characters():
    group = Group(key="111122223333", name="a\nb\u202ec\u0000", open=(1, 0, 0, 0, 0), new=0, overdue=0)
    (entry,) = report(accounts=(group,)).listings[0].entries
    assert entry.label == "111122223333 a b c"


def test_the_trend_leaves_out_what_was_not_complete():
    days = [figures(scheduled=NOW - timedelta(days=day), open=(day, 0, 0, 0, 0)) for day in (3, 2, 1)]
    made = report(days[0], figures(missing=("low",), scheduled=NOW - timedelta(days=2)), days[2])
    assert [counts[0] for _, counts in made.trend] == [3, 1, 1]
    assert made.trend_line.endswith("3 → 15")
    assert report().trend_line == ""


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 7], "▁█"), ([5, 5, 5], "▁▁▁"), ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█")]
)
def test_a_bar_is_as_high_as_its_value(values, expected):
    assert bars(values) == expected
