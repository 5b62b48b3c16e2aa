"""What summaries keep, in S3 as the embedded AWS has it, and the findings of both hubs as it returns them."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from functions.summary.counting import Count
from functions.summary.finding_pages import Pace
from functions.summary.storage import TREND_RUNS, Storage
from functions.summary.tally import Period
from invocation.clients import create_client
from tests.summaries import NOW, MemoryPages, figures, finding

PERIOD = Period.until(NOW, length=timedelta(days=1), previous=None, overdue_days=(7, 30, 90, 180, 0))


@pytest.fixture
def bucket(function_aws):
    name = f"summaries-{uuid.uuid4().hex[:12]}"
    function_aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return name


@pytest.fixture
def storage(bucket):
    return Storage(create_client("s3"), bucket)


def counted(*findings):
    count = Count()
    count.go_on(
        MemoryPages(HIGH=findings), PERIOD, has_time=lambda: True, pace=Pace(10**6, sleep=lambda _: None)
    )
    return count


def test_a_page_is_where_it_is_said_to_be(storage, bucket, function_aws):
    storage.put_page("daily", NOW, "<p>Ä</p>")
    place = storage.page_place("daily", NOW)
    assert place == f"s3://{bucket}/pages/daily/2026-03-09T070000Z.html"
    stored = function_aws.client("s3").get_object(Bucket=bucket, Key=place.removeprefix(f"s3://{bucket}/"))
    assert stored["Body"].read().decode() == "<p>Ä</p>"
    assert stored["ContentType"] == "text/html; charset=utf-8"


def test_figures_come_back_as_they_were(storage):
    assert storage.figures("daily", NOW) is None
    storage.put_figures(figures())
    assert storage.figures("daily", NOW) == figures()
    assert storage.figures("weekly", NOW) is None


def test_earlier_figures_are_those_of_the_schedule_before_the_time_the_oldest_first(storage):
    for day in range(TREND_RUNS + 3):
        storage.put_figures(figures(scheduled=NOW - timedelta(days=day)))
    storage.put_figures(figures(schedule="weekly", scheduled=NOW - timedelta(days=1)))
    found = [one.scheduled for one in storage.earlier_figures("daily", NOW)]
    assert found == [NOW - timedelta(days=day) for day in range(TREND_RUNS, 0, -1)]


@pytest.mark.parametrize("body", ['{"schema": 2}', "{}", "[]", "no json"])
def test_what_cannot_be_read_is_left_out_of_the_trend_and_of_the_comparison(
    storage, bucket, function_aws, body
):
    storage.put_figures(figures(scheduled=NOW - timedelta(days=2)))
    storage.put_open("daily", NOW - timedelta(days=2), counted(finding(1)))
    for kind in ("figures", "open"):
        function_aws.client("s3").put_object(
            Bucket=bucket, Key=f"{kind}/daily/2026-03-08T070000Z.json", Body=body.encode()
        )
    assert len(storage.earlier_figures("daily", NOW)) == 1
    assert storage.previously_open("daily", NOW).scheduled == NOW - timedelta(days=2)


def test_the_latest_summary_before_this_one_is_compared_with(storage):
    assert storage.previously_open("daily", NOW) is None
    for day in (3, 1, 2):
        storage.put_open("daily", NOW - timedelta(days=day), counted(finding(day)))
    storage.put_open("daily", NOW, counted(finding(9)))
    assert storage.previously_open("daily", NOW).scheduled == NOW - timedelta(days=1)


def test_an_unfinished_count_goes_on(storage):
    assert storage.progress("daily", NOW).attempt == 0
    count = counted(finding(1), finding(2))
    count.attempt = 2
    storage.put_progress("daily", NOW, count)
    again = storage.progress("daily", NOW)
    assert (again.attempt, again.missing) == (2, {})
    assert again.tally.by_severity("open") == (0, 2, 0, 0, 0)
