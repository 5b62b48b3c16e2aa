"""The model: a queue, the function that reads it, and the quotas that their calls share.

Quantities are real numbers that change in steps, so the same input always has the same result. Within a
step, what the function and the quotas allow is a fixed point: throttled calls take longer, so there
are fewer. A finding whose update is refused fails. One that can't be read is updated by what its event says,
or fails.
"""

from __future__ import annotations

import heapq
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

_QUOTAS_FILE: Final = Path(__file__).with_name("quotas.toml")
# As lambda/invocation/clients.py has it, and botocore's standard mode: up to a second before the first retry,
# then twice as long; half of it is the mean. Each client has tokens for retries, which successes give back.
# Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
# Source: https://github.com/boto/botocore/blob/develop/botocore/retries/standard.py
_MEAN_WAITS: Final = (0.5, 1.0, 2.0)
_TOKENS: Final = 500.0
_RETRY_TOKENS: Final = 5.0
# As stacks/findings_queue.py has it.
BATCH: Final = 10
RECEIVES: Final = 5
VISIBILITY_SECONDS: Final = 1_800.0
RETENTION_SECONDS: Final = 14 * 86_400.0
_NOTHING: Final = 1e-6
_HALVINGS: Final = 24
_MOST: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A quota of AWS, with AWS's page about it."""

    value: float
    unit: str
    adjustable: bool
    page: str


def load_quotas() -> Mapping[str, Quota]:
    """Read the quotas."""
    document: dict[str, Any] = tomllib.loads(_QUOTAS_FILE.read_text(encoding="utf-8"))
    document.pop("as_of")
    return {name: Quota(**row) for name, row in document.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What a function does for one finding.

    Attributes:
        seconds: How long that takes, without waiting because of throttling.
        updates: How often it calls BatchUpdateFindings.
        maximum_concurrency: How many batches of the queue it handles at once.
        reads: How often it calls GetFindings. Default: never.
        must_read: Whether a finding that can't be read fails. Default: False.
    """

    seconds: float
    updates: float
    maximum_concurrency: int
    reads: float = 0.0
    must_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What the quotas allow in a second."""

    updates: float
    arrivals: float
    first_batches: float
    more_batches: float
    reads: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a burst.

    Attributes:
        seconds: When the last finding was done, or was a dead letter.
        done: How many are done.
        dead: How many are dead letters.
        most: When nine tenths were done or dead letters, in seconds.
        oldest: The longest that a finding waited for its first attempt, in seconds.
        throttled: The share of calls of BatchUpdateFindings that were throttled.
        unread: The share of reads of a finding that were refused, retries included.
        busy: The seconds of the function that were used, by all executions together.
    """

    seconds: float
    done: float
    dead: float
    most: float
    oldest: float
    throttled: float
    unread: float
    busy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """What happens in a second."""

    tried: float
    failed: float
    calls: float
    throttled: float
    tokens: float
    unread: float


def simulate(
    findings: float,
    function: Function,
    rates: Rates,
    *,
    step: float = 5.0,
    visibility: float = VISIBILITY_SECONDS,
) -> Outcome:
    """Let a burst of findings come at once, and return what became of it.

    Args:
        findings: How many.
        function: The function.
        rates: What the quotas allow.
        step: The length of a step, in seconds.
        visibility: How long a message is hidden after its handling failed, in seconds.
    """
    now, arrived, done, dead, busy = 0.0, 0.0, 0.0, 0.0, 0.0
    calls, throttled, tokens = 0.0, 0.0, _TOKENS * function.maximum_concurrency
    handled, unread = 0.0, 0.0
    waiting = [0.0] * RECEIVES
    hidden: list[tuple[float, int, float]] = []
    first_done = oldest = most = 0.0
    while arrived + _NOTHING < findings or sum(waiting) > _NOTHING or hidden:
        come = min(rates.arrivals * step, findings - arrived)
        arrived += come
        waiting[0] += come
        while hidden and hidden[0][0] <= now:
            _, receives, number = heapq.heappop(hidden)
            waiting[receives] += number
        visible = sum(waiting)
        if visible <= _NOTHING:
            now = max(now + step, hidden[0][0]) if hidden and arrived + _NOTHING >= findings else now + step
            continue
        batches = min(
            function.maximum_concurrency,
            rates.first_batches + rates.more_batches * now / 60,
            max(1.0, visible / BATCH),
        )
        flow = _flow(batches, function, rates, may_retry=tokens > 0)
        tokens = min(_TOKENS * function.maximum_concurrency, tokens + flow.tokens * step)
        share = min(1.0, flow.tried * step / visible)
        failing = flow.failed / flow.tried
        for receives in range(RECEIVES):
            tried = waiting[receives] * share
            waiting[receives] -= tried
            done += tried * (1 - failing)
            if receives + 1 == RECEIVES:
                dead += tried * failing
            elif tried * failing > _NOTHING:
                heapq.heappush(hidden, (now + visibility, receives + 1, tried * failing))
            else:
                done += tried * failing
            if receives == 0:
                first_done += tried
        used = share * visible / flow.tried if flow.tried else step
        busy += batches * used
        calls += flow.calls * used
        throttled += flow.throttled * used
        handled += flow.tried * used
        unread += flow.tried * flow.unread * used
        now += step
        if not most and done + dead >= findings * _MOST:
            most = now
        oldest = max(oldest, now - first_done / rates.arrivals if waiting[0] > _NOTHING else 0.0)
    return Outcome(
        seconds=now,
        done=done,
        dead=dead,
        most=most,
        oldest=oldest,
        throttled=throttled / calls if calls else 0.0,
        unread=unread / handled if handled else 0.0,
        busy=busy,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """The calls of one operation for a finding, of which AWS refuses some.

    Attributes:
        number: How many there are, without retries.
        refused: The share of them that AWS refuses.
        granted: The share of refused ones that botocore may try again.
    """

    number: float
    refused: float
    granted: float

    @property
    def retries(self) -> float:
        """How many retries a call has."""
        again = self.refused * self.granted
        return again + again**2 + again**3

    @property
    def all(self) -> float:
        """How many there are, with retries."""
        return self.number * (1 + self.retries)

    @property
    def waits(self) -> float:
        """The seconds that they wait."""
        again = self.refused * self.granted
        return self.number * sum(wait * again**number for number, wait in enumerate(_MEAN_WAITS, 1))

    @property
    def failing(self) -> float:
        """The share of them that is refused in the end."""
        return 1 - (1 - self.refused) * (1 + self.retries)

    @property
    def tokens(self) -> float:
        """How many tokens for retries they give back, less those that they take."""
        return self.number * ((1 - self.refused) - _RETRY_TOKENS * self.refused * self.retries)


@lru_cache(maxsize=1_024)
def _flow(batches: float, function: Function, rates: Rates, *, may_retry: bool) -> _Flow:
    """How many findings are tried in a second, where throttled calls wait and are tried again."""

    def flow_if(updates: _Calls, reads: _Calls) -> _Flow:
        unread = reads.failing if function.must_read and reads.number else 0.0
        updates = replace(updates, number=updates.number * (1 - unread))
        tried = batches / (function.seconds + updates.waits + reads.waits)
        failing = updates.failing if updates.number else 0.0
        return _Flow(
            tried=tried,
            failed=tried * (1 - (1 - failing) * (1 - unread)),
            calls=tried * updates.all,
            throttled=tried * updates.all * updates.refused,
            tokens=tried * (updates.tokens + reads.tokens),
            unread=reads.failing if reads.number else 0.0,
        )

    def flow_with(granted: float) -> _Flow:
        def reads_if(updates: _Calls) -> _Calls:
            def excess(refused: float) -> float:
                reads = _Calls(number=function.reads, refused=refused, granted=granted)
                return flow_if(updates, reads).tried * reads.all * (1 - refused) - rates.reads

            refused = _root(excess) if excess(0.0) > 0 else 0.0
            return _Calls(number=function.reads, refused=refused, granted=granted)

        def flow(refused: float) -> _Flow:
            updates = _Calls(number=function.updates, refused=refused, granted=granted)
            return flow_if(updates, reads_if(updates))

        # The more is refused, the fewer get through: at one point, these are as many as the quota allows.
        if flow(0.0).calls <= rates.updates:
            return flow(0.0)
        return flow(_root(lambda refused: flow(refused).calls * (1 - refused) - rates.updates))

    if may_retry or (all_retried := flow_with(1.0)).tokens >= 0:
        return flow_with(1.0) if may_retry else all_retried
    # Retries take as many tokens as successes give back.
    return flow_with(_root(lambda granted: flow_with(granted).tokens))


def _root(excess: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if excess(middle) > 0:
            low = middle
        else:
            high = middle
    return high
