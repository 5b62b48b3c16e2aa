"""The retry schedule of EventBridge and Lambda, on a clock that runs faster than real time.

A test can't wait a day for EventBridge to give up, so the seconds of the schedule are short. The age of an
event and the backoff both count these seconds, so that the limits are reached in the same order as on AWS.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from emulator.errors import DeliveryError

SCALE_VARIABLE: Final = "EMULATOR_RETRY_SECOND"
"""Environment variable of the server: wall-clock seconds that a second of a retry schedule lasts."""
VISIBILITY_VARIABLE: Final = "EMULATOR_VISIBILITY_SECOND"
"""The same for a second of the visibility timeout of a message that a function failed to handle."""
_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 480.0

ExhaustedCondition = Literal["MaximumRetryAttempts", "MaximumEventAgeInSeconds"]


def wait(seconds: float) -> None:
    """Wait the given seconds of a retry schedule."""
    time.sleep(seconds * float(os.environ[SCALE_VARIABLE]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """A target's RetryPolicy.

    Attributes:
        maximum_retry_attempts: Attempts after the first, 0 to 185.
        maximum_event_age: Seconds after which no attempt starts, 60 to 86,400.
    """

    maximum_retry_attempts: int = 185
    maximum_event_age: float = 86_400.0

    @classmethod
    def of_target(cls, target: Mapping[str, Any]) -> Self:
        """The policy of a target as PutTargets took it, with EventBridge's defaults."""
        given = target.get("RetryPolicy") or {}
        return cls(
            maximum_retry_attempts=int(given.get("MaximumRetryAttempts", 185)),
            maximum_event_age=float(given.get("MaximumEventAgeInSeconds", 86_400)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why and when the attempts ended without success."""

    error: DeliveryError
    attempts: int
    exhausted: ExhaustedCondition | None


def attempt_until_delivered(
    attempt: Callable[[], None],
    policy: RetryPolicy,
    *,
    sleep: Callable[[float], None] = wait,
    on_attempt: Callable[[int], None] = lambda _: None,
) -> Failure | None:
    """Try to deliver until an attempt succeeds, the policy is exhausted, or an error is final.

    Args:
        attempt: One attempt; raises DeliveryError when it fails.
        policy: When to give up.
        sleep: Waits the given seconds.
        on_attempt: Receives the number of each attempt before it starts, from 1.

    Returns:
        None if an attempt succeeded.
    """
    age = 0.0
    delays = _delays()
    for number in range(1, policy.maximum_retry_attempts + 2):
        on_attempt(number)
        try:
            attempt()
        except DeliveryError as error:
            failure = Failure(error=error, attempts=number, exhausted=None)
        else:
            return None
        if not failure.error.retryable:
            return failure
        delay = next(delays)
        if number <= policy.maximum_retry_attempts and age + delay > policy.maximum_event_age:
            return Failure(error=failure.error, attempts=number, exhausted="MaximumEventAgeInSeconds")
        if number <= policy.maximum_retry_attempts:
            sleep(delay)
            age += delay
    return Failure(error=failure.error, attempts=number, exhausted="MaximumRetryAttempts")


def _delays() -> Iterator[float]:
    delay = _FIRST_DELAY
    while True:
        yield delay
        delay = min(delay * 2, _LONGEST_DELAY)
