from __future__ import annotations

import json
from datetime import timedelta

import pytest

from functions.remediate.outcomes import Status
from functions.summary import sources
from functions.summary.figures import Remediations
from functions.summary.sources import OutOfTimeError, remediations_in, waiting_messages
from tests.summaries import NOW


class Logs:
    """FilterLogEvents on given pages."""

    def __init__(self, *pages):
        self.pages, self.request = pages, None

    def get_paginator(self, operation):
        assert operation == "filter_log_events"
        return self

    def paginate(self, **request):
        self.request = request
        return [{"events": [{"message": line} for line in page]} for page in self.pages]


def line(*outcomes, message="Findings handled", **more):
    found = [
        {"finding": finding, "status": status, "repeated": False, **more} for finding, status in outcomes
    ]
    return json.dumps({"level": "INFO", "message": message, "summary": {"findings": found}})


def counted(*pages):
    return remediations_in(
        Logs(*pages), "group", start=NOW - timedelta(days=1), end=NOW, has_time=lambda: True
    )


def test_what_was_remediated_and_what_failed_is_counted_over_all_pages():
    first = [line(("a", Status.APPLIED), ("b", Status.PARTIAL), ("c", Status.FAILED))]
    assert counted(first, [line(("d", Status.APPLIED))]) == Remediations(done=3, failed=1)


def test_a_finding_that_failed_and_then_succeeded_counts_once_as_remediated():
    failed = line(("a", Status.FAILED), message="Findings not remediated")
    assert counted([failed, failed, line(("a", Status.APPLIED))]) == Remediations(done=1, failed=0)
    assert counted([failed, failed]) == Remediations(done=0, failed=1)


def test_what_changed_nothing_counts_as_neither():
    neither = (
        Status.NOT_NEEDED,
        Status.PLANNED,
        Status.REFUSED,
        Status.IMPOSSIBLE,
        Status.BUSY,
        Status.UNDONE,
    )
    assert counted([line(*((status, status) for status in neither))]) == Remediations(done=0, failed=0)
    assert counted([line(("a", Status.APPLIED), repeated=True)]) == Remediations(done=0, failed=0)


def test_other_lines_and_lines_that_cannot_be_read_are_left_out():
    others = ["no json", "[]", "5", json.dumps({"message": "Findings handled"}), line(message="Else")]
    assert counted(others) == Remediations(done=0, failed=0)


def test_without_time_for_all_pages_nothing_is_said():
    left = iter([True])
    with pytest.raises(OutOfTimeError):
        remediations_in(
            Logs([], [], []), "group", start=NOW, end=NOW, has_time=lambda: next(left, None) is not None
        )


def test_only_the_lines_of_the_period_are_asked_for():
    logs = Logs()
    remediations_in(logs, "group", start=NOW - timedelta(days=1), end=NOW, has_time=lambda: True)
    assert logs.request["logGroupName"] == "group"
    assert logs.request["endTime"] - logs.request["startTime"] == 24 * 3600 * 1000
    assert logs.request["endTime"] == int(NOW.timestamp() * 1000)


def test_the_words_are_those_of_the_function_that_remediates():
    assert {Status.APPLIED, Status.PARTIAL} == sources._DONE
    assert {Status.FAILED} == sources._FAILED


def test_the_messages_of_each_queue_are_counted():
    class Sqs:
        def get_queue_attributes(self, QueueUrl, AttributeNames):  # noqa: N803 - as boto3 has it
            assert AttributeNames == ["ApproximateNumberOfMessages"]
            return {"Attributes": {"ApproximateNumberOfMessages": {"one": "3", "two": "0"}[QueueUrl]}}

    assert waiting_messages(Sqs(), {"A": "one", "B": "two"}) == {"A": 3, "B": 0}
