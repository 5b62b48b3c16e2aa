"""The events on the buses, their deliveries, and the invocations under way. In memory, and bounded."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

Outcome = Literal["pending", "delivered", "dead-lettered", "lost"]
CAPACITY: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaAnswer:
    """A Lambda function's answer to an asynchronous invocation, after the last attempt.

    Attributes:
        payload: The value that it returned, or the error object with ``errorType`` and ``errorMessage``.
        function_error: ``"Unhandled"`` or ``"Handled"`` when it failed, otherwise None.
        attempts: How often it ran, 1 to 3.
        destination_error: Why its destination or dead-letter queue did not take the result, or None.
    """

    payload: Any
    function_error: str | None
    attempts: int
    destination_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one target of one rule that it matched.

    Attributes:
        id: Identifies the delivery on this server.
        event_id: The event's ``id``.
        rule_arn: The rule that the event matched.
        target_id: The target's ID in the rule.
        target_arn: The target.
        input: What the target receives: the event, or the result of the target's input settings.
        attempts: How often delivery was tried so far.
        outcome: ``pending`` until it is known; ``lost`` when it failed and no dead-letter queue took it.
        error_code: EventBridge's code of the last failure, for example ``NO_PERMISSIONS``.
        error_message: The reason in words; for a lost event also why the dead-letter queue refused it.
        answer: A Lambda function's answer, once it has run; None for other targets.
    """

    id: int
    event_id: str
    rule_arn: str
    target_id: str
    target_arn: str
    input: str
    attempts: int = 0
    outcome: Outcome = "pending"
    error_code: str | None = None
    error_message: str | None = None
    answer: LambdaAnswer | None = None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The delivery that `dataclasses.asdict` turned into `document`."""
        answer = document["answer"]
        return cls(**{**document, "answer": None if answer is None else LambdaAnswer(**answer)})


@dataclass(frozen=True, slots=True, kw_only=True)
class BusEvent:
    """An event as a rule sees it, and the bus it was put on."""

    event_bus_arn: str
    event: dict[str, Any]


class DeliveryLog:
    """The newest `CAPACITY` events and deliveries. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._events: deque[BusEvent] = deque(maxlen=capacity)
        self._deliveries: OrderedDict[int, Delivery] = OrderedDict()
        self._next_id = 1
        self._invocations = 0
        self._changes = 0

    def add_event(self, event: BusEvent) -> None:
        """Log an event that was put on a bus."""
        with self._lock:
            self._events.append(event)
            self._changes += 1

    def open(self, *, event_id: str, rule_arn: str, target_id: str, target_arn: str, payload: str) -> int:
        """Log that a delivery begins, and return its ID."""
        with self._lock:
            delivery = Delivery(
                id=self._next_id,
                event_id=event_id,
                rule_arn=rule_arn,
                target_id=target_id,
                target_arn=target_arn,
                input=payload,
            )
            self._next_id += 1
            self._deliveries[delivery.id] = delivery
            self._changes += 1
            while len(self._deliveries) > self._capacity:
                self._deliveries.popitem(last=False)
            return delivery.id

    def update(self, delivery_id: int, **changes: Any) -> None:  # noqa: ANN401 - fields of Delivery
        """Change fields of a delivery. One that is no longer in the log is ignored."""
        with self._lock:
            self._changes += 1
            delivery = self._deliveries.get(delivery_id)
            if delivery is not None:
                self._deliveries[delivery_id] = dataclasses.replace(delivery, **changes)

    def begin_invocation(self) -> None:
        """Count an asynchronous invocation of a Lambda function until `end_invocation`."""
        self._count_invocation(1)

    def end_invocation(self) -> None:
        """No longer count an invocation: the function won't be tried again."""
        self._count_invocation(-1)

    def _count_invocation(self, difference: int) -> None:
        with self._lock:
            self._invocations += difference
            self._changes += 1

    def invocations(self) -> int:
        """How many asynchronous invocations haven't ended."""
        with self._lock:
            return self._invocations

    def changes(self) -> int:
        """How often anything was logged, including what is no longer in the log. It never decreases."""
        with self._lock:
            return self._changes

    def events(self) -> list[BusEvent]:
        """The events, oldest first."""
        with self._lock:
            return list(self._events)

    def deliveries(self) -> list[Delivery]:
        """The deliveries, oldest first."""
        with self._lock:
            return list(self._deliveries.values())

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._events.clear()
            self._deliveries.clear()
