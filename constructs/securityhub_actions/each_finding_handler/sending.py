"""Puts entries on an event bus until EventBridge has taken each of them.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-send-events-failures
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_ENTRIES: Final = 10
MAX_ENTRY_BYTES: Final = 1024 * 1024 - 1
"""An entry must be smaller than 1 MB.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""
MAX_REQUEST_BYTES: Final = 256 * 1024
"""Entries share a request up to here, which was the limit of a request before entries could be larger."""
_TIME_BYTES: Final = 14
_LONGEST_PAUSE: Final = 8.0
_REFUSALS: Final = frozenset({"ValidationError", "ValidationException", "RequestEntityTooLarge"})


class NotSentError(RuntimeError):
    """EventBridge didn't take each entry. Lambda invokes the function again, and then keeps the event."""


def entry_bytes(entry: dict[str, Any]) -> int:
    """Return the size of an entry as EventBridge calculates it.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
    """
    texts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry.get("Resources", ())]
    return sum(len(text.encode(errors="surrogatepass")) for text in texts) + (
        _TIME_BYTES if "Time" in entry else 0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Puts entries on an event bus. Tests replace the connection to AWS and the clock.

    Attributes:
        put_events: The operation of an EventBridge client.
        sleep: Waits for a number of seconds.
        has_time: Whether the invocation has time for another attempt after a number of seconds.
    """

    put_events: Callable[..., Any]
    sleep: Callable[[float], None]
    has_time: Callable[[float], bool]

    def send(self, entries: Sequence[dict[str, Any]]) -> None:
        """Put the entries on their bus, and those that fail again and again.

        An entry that is too large doesn't keep the others from being sent, nor does one because of which
        EventBridge refuses a whole request.

        Raises:
            NotSentError: An entry is too large, or failed until the time was up.
        """
        sizes = {index: entry_bytes(entry) for index, entry in enumerate(entries)}
        reasons = {
            index: f"it has {size:,} bytes, and EventBridge takes {MAX_ENTRY_BYTES:,}"
            for index, size in sizes.items()
            if size > MAX_ENTRY_BYTES
        }
        pending = [index for index in sizes if index not in reasons]
        pause, alone = 0.5, frozenset[int]()
        while pending:
            failed: dict[int, str] = {}
            for batch in _batches(pending, sizes, alone):
                try:
                    failed |= self._put(batch, entries)
                except (ClientError, BotoCoreError) as error:
                    failed |= dict.fromkeys(batch, str(error))
                    alone |= frozenset(batch) if _is_refusal(error) else frozenset()
            pending = sorted(failed)
            if pending and not self.has_time(pause):
                reasons |= failed
                break
            if pending:
                self.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if reasons:
            said = "; ".join(f"number {index + 1}: {reason}" for index, reason in sorted(reasons.items()))
            raise NotSentError(
                f"{len(reasons)} of {len(entries)} findings or results were not sent. The others were, and "
                f"are sent again if the event is. {said}"
            )

    def _put(self, batch: Sequence[int], entries: Sequence[dict[str, Any]]) -> dict[int, str]:
        """Send one request. Return why entries failed, by their index."""
        answer = self.put_events(Entries=[entries[index] for index in batch])
        return {
            index: f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}"
            for index, result in zip(batch, answer["Entries"], strict=True)
            if result.get("ErrorCode")
        }


def _is_refusal(error: Exception) -> bool:
    """Whether a request was refused for what it contains, not because of its rate or a failure.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html
    """
    if isinstance(error, ParamValidationError):
        return True
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return code in _REFUSALS


def _batches(pending: Sequence[int], sizes: dict[int, int], alone: frozenset[int]) -> Iterator[list[int]]:
    """Divide entries among requests. Those that were refused together get one each."""
    yield from ([index] for index in pending if index in alone)
    batch: list[int] = []
    for index in pending:
        if index in alone:
            continue
        full = len(batch) == MAX_ENTRIES or sum(sizes[one] for one in [*batch, index]) > MAX_REQUEST_BYTES
        if batch and full:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
