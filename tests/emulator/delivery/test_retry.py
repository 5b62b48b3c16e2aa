from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.delivery.retry import RetryPolicy, attempt_until_delivered
from emulator.errors import DeliveryError


class Target:
    """Refuses the given number of attempts, then takes the event; counts attempts and remembers pauses."""

    def __init__(self, refusals, *, retryable=True):
        self.refusals = refusals
        self.retryable = retryable
        self.attempts = 0
        self.pauses = []

    def attempt(self):
        self.attempts += 1
        if self.attempts <= self.refusals:
            raise DeliveryError("THROTTLING", "slow down", retryable=self.retryable)

    def deliver(self, policy):
        return attempt_until_delivered(self.attempt, policy, sleep=self.pauses.append)


@given(refusals=st.integers(0, 30), allowed=st.integers(0, 30))
def test_a_target_gets_one_attempt_more_than_retries_are_allowed(refusals, allowed):
    target = Target(refusals)
    failure = target.deliver(RetryPolicy(maximum_retry_attempts=allowed))
    assert target.attempts == min(refusals, allowed) + 1
    assert len(target.pauses) == target.attempts - 1
    if refusals <= allowed:
        assert failure is None
    else:
        assert (failure.attempts, failure.exhausted) == (allowed + 1, "MaximumRetryAttempts")


@given(age=st.integers(60, 86_400))
def test_no_attempt_begins_after_the_maximum_age(age):
    target = Target(1000)
    failure = target.deliver(RetryPolicy(maximum_event_age=age))
    assert sum(target.pauses) <= age
    assert failure.exhausted in {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}


def test_an_event_that_gets_too_old_says_so():
    failure = Target(1000).deliver(RetryPolicy(maximum_event_age=60))
    assert (failure.attempts, failure.exhausted) == (6, "MaximumEventAgeInSeconds")


def test_an_error_that_only_an_administrator_can_mend_is_not_retried():
    target = Target(1, retryable=False)
    failure = target.deliver(RetryPolicy())
    assert (target.attempts, failure.exhausted, failure.error.code) == (1, None, "THROTTLING")


def test_pauses_grow_up_to_eight_minutes():
    target = Target(12)
    target.deliver(RetryPolicy())
    assert target.pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 480, 480, 480]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, RetryPolicy(maximum_retry_attempts=185, maximum_event_age=86_400)),
        ({"MaximumRetryAttempts": 0}, RetryPolicy(maximum_retry_attempts=0, maximum_event_age=86_400)),
        ({"MaximumEventAgeInSeconds": 60}, RetryPolicy(maximum_retry_attempts=185, maximum_event_age=60)),
    ],
)
def test_what_a_target_leaves_out_has_eventbridges_default(settings, expected):
    assert RetryPolicy.of_target({"RetryPolicy": settings}) == expected
