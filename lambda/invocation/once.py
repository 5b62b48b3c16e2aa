"""Does a piece of work once: one attempt at a time has a lease on it, and the result is recorded."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from invocation.work_table import Record, WorkTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# As long as EventBridge may deliver an event again.
REMEMBERED_SECONDS: Final = 24 * 3600
# Lambda retries an asynchronous invocation a minute after it ended, so the lease of an attempt that was
# interrupted must have lapsed by then, even if the clocks of two containers differ by some seconds.
# Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
LEASE_SECONDS: Final = 40
# Three renewals may fail before the lease lapses.
RENEWED_EVERY_SECONDS: Final = 10
# Who waits for a turn outlasts the lease of an attempt that was interrupted.
TURN_PATIENCE_SECONDS: Final = LEASE_SECONDS + 5
_PAUSE_SECONDS: Final = 0.5
_BUSY: Final = "Another invocation is working on it. Try again when it has ended."

Result = TypeVar("Result", bound=Mapping[str, object])
Answer = TypeVar("Answer")
Renewing = Callable[[Callable[[], bool]], AbstractContextManager[None]]

logger = logging.getLogger(__name__)


class WorkInProgressError(Exception):
    """Another attempt is doing the work right now."""


class Store(Protocol):
    """Where leases and results are kept. `WorkTable` describes the methods."""

    def claim(
        self, key: str, *, attempt: str, now: float, lease_ends: float, expires: float
    ) -> Record | None:
        """Take the lease, or return what prevents it."""

    def renew(self, key: str, *, attempt: str, lease_ends: float) -> bool:
        """Extend the lease, or return False if it's lost."""

    def complete(self, key: str, *, attempt: str, result: Mapping[str, Any], expires: float) -> bool:
        """Put the result in the place of the lease, or return False if it's lost."""

    def release(self, key: str, *, attempt: str) -> None:
        """Give up the lease."""

    def forget(self, key: str, *, now: float) -> bool:
        """Delete the record of work, or return False if an attempt has the lease."""


@contextmanager
def renewing_in_background(renew: Callable[[], bool]) -> Iterator[None]:
    """Renew a lease at intervals until the block ends or the lease is lost.

    Lambda may freeze the container after the block and resume it much later. The thread then finds that the
    block has ended. If a renewal was under way, its condition in the table isn't met any longer.
    """
    ended = threading.Event()

    def keep_renewing() -> None:
        while not ended.wait(RENEWED_EVERY_SECONDS) and renew():
            pass

    threading.Thread(target=keep_renewing, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class RememberedWork:
    """Does a piece of work once for each key, even if invocations overlap or are interrupted.

    An attempt has a lease on its work for `LEASE_SECONDS`, and renews it as long as it works. After an
    attempt was interrupted, its lease lapses, and the next attempt takes over. An attempt whose lease lapsed
    while it worked, because renewals failed or the container stood still, can't record a result. Before a
    step that must not happen twice, it calls `confirm`.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
        renewing: Renewing = renewing_in_background,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Remember work in a store.

        Args:
            store: Where leases and results are kept.
            clock: Returns the current time in seconds since the epoch. Default: the system's clock.
            renewing: Calls a function from time to time within its context, until it returns False.
                Default: every `RENEWED_EVERY_SECONDS`.
            sleep: Waits for that many seconds while another attempt has its turn.
        """
        self._store = store
        self._clock = clock
        self._renewing = renewing
        self._sleep = sleep
        self._leases: list[Lease] = []

    @classmethod
    def in_table(cls, client: DynamoDBClient, name: str) -> RememberedWork:
        """Remember work in a DynamoDB table.

        Args:
            client: DynamoDB.
            name: The name of the table.
        """
        return cls(WorkTable(client, name))

    def run(
        self,
        key: Mapping[str, str],
        work: Callable[[], Result],
        *,
        remembered_seconds: float = REMEMBERED_SECONDS,
    ) -> tuple[Result, bool]:
        """Return the result of the work, and whether it had been done before.

        Args:
            key: Identifies the piece of work.
            work: Does the work and returns JSON values by name.
            remembered_seconds: How long the result is kept. Default: `REMEMBERED_SECONDS`.

        Raises:
            WorkInProgressError: Another attempt is doing the work, or has taken it over.
            Exception: What the work raised. The work counts as not done.
        """
        lease = Lease(self._store, _id_of(key), clock=self._clock)
        if (standing := lease.claim()) is not None:
            if standing.result is None:
                raise WorkInProgressError(_BUSY)
            return cast("Result", dict(standing.result)), True
        self._leases.append(lease)
        try:
            with self._renewing(lease.renew):
                result = work()
        except Exception:
            lease.release()
            raise
        finally:
            self._leases.pop()
        lease.complete(result, remembered_seconds=remembered_seconds)
        return result, False

    def in_turn(
        self,
        key: Mapping[str, str],
        work: Callable[[], Answer],
        *,
        patience_seconds: float = TURN_PATIENCE_SECONDS,
    ) -> Answer:
        """Do work while no other attempt does work with the same key. Its result isn't remembered.

        Whoever comes while another attempt has its turn waits.

        Args:
            key: What the work is done to.
            work: Does the work. It waits for no other turn.
            patience_seconds: For how long to wait. Default: `TURN_PATIENCE_SECONDS`.

        Raises:
            WorkInProgressError: Another attempt still has its turn.
            Exception: What the work raised.
        """
        lease = Lease(self._store, _id_of(key), clock=self._clock)
        until = self._clock() + patience_seconds
        while lease.claim() is not None:
            if self._clock() >= until:
                raise WorkInProgressError(_BUSY)
            self._sleep(_PAUSE_SECONDS)
        self._leases.append(lease)
        try:
            with self._renewing(lease.renew):
                return work()
        finally:
            self._leases.pop()
            lease.release()

    def confirm(self) -> None:
        """Make sure that the work that is being done is still this attempt's.

        It's a fence for steps that must not happen twice: only their own duration is left for another attempt
        to take over. It takes no request.

        Raises:
            WorkInProgressError: The lease has lapsed, so another attempt may have taken over.
        """
        for lease in self._leases:
            lease.confirm()

    def let_lapse(self) -> None:
        """Keep the lease on the work in progress until it lapses if the work fails.

        It's for a step whose outcome is unknown, and of which nothing is to be seen at once.
        """
        for lease in self._leases:
            lease.let_lapse()

    def forget(self, key: Mapping[str, str]) -> None:
        """Let completed work be done again. Nothing happens if it was never done.

        Raises:
            WorkInProgressError: An attempt is doing the work.
        """
        if not self._store.forget(_id_of(key), now=self._clock()):
            raise WorkInProgressError(_BUSY)


class Lease:
    """The lease of one attempt on one piece of work."""

    def __init__(self, store: Store, key: str, *, clock: Callable[[], float]) -> None:
        """Prepare an attempt.

        Args:
            store: Where leases are kept.
            key: The ID of the piece of work in the store.
            clock: Returns the current time in seconds since the epoch.
        """
        self._store = store
        self._key = key
        self._clock = clock
        self._attempt = uuid.uuid4().hex
        self._ends = 0.0
        self._lapses = False

    def claim(self) -> Record | None:
        """Take the lease, or return what prevents it."""
        now = self._clock()
        ends = now + LEASE_SECONDS
        standing = self._store.claim(
            self._key, attempt=self._attempt, now=now, lease_ends=ends, expires=now + REMEMBERED_SECONDS
        )
        if standing is None:
            self._ends = ends
        return standing

    def renew(self) -> bool:
        """Extend the lease, and return whether to go on renewing."""
        ends = self._clock() + LEASE_SECONDS
        try:
            is_mine = self._store.renew(self._key, attempt=self._attempt, lease_ends=ends)
        except Exception as error:  # noqa: BLE001 - throttled, or no response; the next renewal may succeed
            logger.warning("The lease was not renewed: %s", error)
            return True
        self._ends = ends if is_mine else 0.0
        return is_mine

    def confirm(self) -> None:
        """Make sure that the lease hasn't lapsed.

        Raises:
            WorkInProgressError: It has, so another attempt may have taken over.
        """
        if self._ends <= self._clock():
            raise WorkInProgressError(
                "The lease on the work lapsed, and another invocation may have taken over. Try again when it "
                "has ended."
            )

    def complete(
        self, result: Mapping[str, object], *, remembered_seconds: float = REMEMBERED_SECONDS
    ) -> None:
        """Put the result in the place of the lease, for so many seconds.

        Raises:
            WorkInProgressError: Another attempt has taken over.
        """
        expires = self._clock() + remembered_seconds
        if not self._store.complete(self._key, attempt=self._attempt, result=result, expires=expires):
            raise WorkInProgressError("Another invocation has taken over. Try again when it has ended.")

    def let_lapse(self) -> None:
        """Let the lease lapse instead of giving it up."""
        self._lapses = True

    def release(self) -> None:
        """Give up the lease. If that fails, it lapses."""
        if self._lapses:
            return
        try:
            self._store.release(self._key, attempt=self._attempt)
        except Exception as error:  # noqa: BLE001 - what the work raised matters more; the lease lapses
            logger.warning("The lease was not released: %s", error)


def _id_of(key: Mapping[str, str]) -> str:
    """Return the ID of a piece of work in the table, the same as in earlier versions."""
    return f"once#{hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()}"
