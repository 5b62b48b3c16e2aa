from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from functions.tickets.hourly_limits import HourlyLimits
from invocation.clients import create_client

NOON = datetime(2026, 1, 31, 12, 59, 59, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(work_table_name, clock):
    return HourlyLimits(create_client("dynamodb"), work_table_name, {"Jira": 2, "Slack": 1}, now=clock)


def test_each_account_and_tracker_has_a_limit_of_its_own_in_each_hour(limits, clock):
    assert [limits.take("111122223333", "Jira") for _ in range(3)] == [True, True, False]
    assert [limits.take("444455556666", "Jira") for _ in range(3)] == [True, True, False]
    assert [limits.take("111122223333", "Slack") for _ in range(2)] == [True, False]
    clock.now += timedelta(seconds=1)
    assert [limits.take("111122223333", "Jira") for _ in range(3)] == [True, True, False]


def test_what_is_left_of_a_limit_is_never_less_than_nothing(limits, clock):
    assert limits.remaining("111122223333", "Jira") == 2
    left = [(limits.take("111122223333", "Jira"), limits.remaining("111122223333", "Jira")) for _ in range(3)]
    assert left == [(True, 1), (True, 0), (False, 0)]
    clock.now += timedelta(seconds=1)
    assert limits.remaining("111122223333", "Jira") == 2


def test_a_count_expires_after_its_hour(limits, embedded_aws):
    limits.take("111122223333", "Jira")
    (item,) = embedded_aws.client("dynamodb").scan(TableName=limits._table)["Items"]
    assert int(item["expiration"]["N"]) == int((NOON + timedelta(days=1)).timestamp())


@pytest.mark.usefixtures("function_aws")
def test_what_dynamodb_refuses_otherwise_is_no_limit(clock):
    limits = HourlyLimits(create_client("dynamodb"), "no-such-table", {"Jira": 1}, now=clock)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        limits.take("111122223333", "Jira")
