"""Messages that let a group's ticket be brought up to date a little later, once for many changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from functions.tickets.contract import TrackerError
from functions.tickets.entry import ChangedMeanwhileError
from functions.tickets.group_following import follow_group
from functions.tickets.group_ticket import GroupTickets
from functions.tickets.outcomes import Summary, TicketsIncompleteError
from functions.tickets.sending import send_in_batches
from functions.tickets.services import Invocation, Services
from invocation.clients import create_client
from invocation.environment import Environment, matching, wrong
from invocation.messages import IncompleteError
from invocation.once import WorkInProgressError
from invocation.stop_switch import NOTHING_STOPPED, Stops
from securityhub.findings.stopping import ChangesStoppedError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient


_MAX_DELAY: Final = 900


class GroupIncompleteError(IncompleteError):
    """The ticket of a group couldn't be brought up to date. The message is retried."""

    def __init__(self, message: str, *, is_busy: bool, is_recorded: bool = False) -> None:
        self.is_busy = is_busy
        self.is_recorded = is_recorded
        super().__init__(message)


class QueuedRefreshes:
    """Sends a message with a delay for each ticket.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        """Use a queue, which is not a FIFO queue.

        Args:
            client: An SQS client.
            url: The URL of the queue.
        """
        self._client = client
        self._url = url

    @classmethod
    def from_environment(cls, environment: Environment) -> QueuedRefreshes | None:
        """Use the queue whose URL is `GROUPS_QUEUE_URL`. None if there is no such queue."""
        url = environment.get("GROUPS_QUEUE_URL", "")
        return cls(create_client("sqs"), url) if url else None

    def request(self, key: str, tracker: str, *, seconds: int) -> None:
        """Send a message that is received in that many seconds, up to 900."""
        body = json.dumps({"group": key, "tracker": tracker})
        self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=seconds)

    def tell(self, key: str, tracker: str, digests: Iterable[str]) -> None:
        """Send a message for each finding of a group.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        send_in_batches(
            self._client,
            self._url,
            ({"group": key, "tracker": tracker, "finding": digest} for digest in digests),
        )


def edited_every_of(environment: Environment) -> timedelta:
    """Return how often a ticket is edited at most: `GROUP_EDIT_SECONDS`, 1 to 900. Default: 60.

    Raises:
        ValueError: It's something else.
    """
    allowed = "a whole number from 1 to 900, the longest delay of a message in SQS"
    given = matching(environment, "GROUP_EDIT_SECONDS", pattern=r"[0-9]{1,3}", allowed=allowed, default="60")
    if not 1 <= int(given) <= _MAX_DELAY:
        raise wrong("GROUP_EDIT_SECONDS", given, allowed)
    return timedelta(seconds=int(given))


def refresh_group(key: str, tracker: str, *, services: Services, invocation: Invocation) -> None:
    """Bring a group's ticket up to date, unless its tracker is disabled now."""
    if known := services.tracker_named(tracker):
        GroupTickets(key=key, tracker=known, services=services, invocation=invocation).refresh()


def handle_refresh(
    body: object, *, services: Services, invocation: Invocation, stops: Stops = NOTHING_STOPPED
) -> None:
    """Do what a message asks for: bring a group's ticket up to date, or let one of its findings follow it.

    Args:
        body: The message, which only this function sends.
        services: The services to use.
        invocation: The invocation.
        stops: What is stopped. Default: nothing.

    Raises:
        ChangesStoppedError: Changes are stopped for the finding.
        GroupIncompleteError: That failed.
    """
    message: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    key, tracker = message.get("group"), message.get("tracker")
    if not isinstance(key, str) or not isinstance(tracker, str):
        raise GroupIncompleteError(
            f"A message in the queue of groups must be a JSON object with the strings group and tracker, but "
            f"is {body!r}. Delete it: only this function sends messages to the queue.",
            is_busy=False,
        )
    digest = message.get("finding")
    failed = None
    try:
        if isinstance(digest, str):
            reports = follow_group(
                key, tracker, digest, services=services, invocation=invocation, stops=stops
            )
            summary = Summary(reports=reports, malformed=())
            failed = TicketsIncompleteError(summary) if summary.failures else None
        else:
            refresh_group(key, tracker, services=services, invocation=invocation)
    except ChangesStoppedError:
        raise
    except (WorkInProgressError, ChangedMeanwhileError) as error:
        message_ = f"{tracker}: group {key}: {error}"
        raise GroupIncompleteError(message_, is_busy=True, is_recorded=not isinstance(digest, str)) from error
    except Exception as error:
        message_ = f"{tracker}: group {key}: {type(error).__name__}: {error}"
        # What the ticket of a group doesn't say yet is among the changes of the group.
        is_outage = isinstance(error, TrackerError) and error.is_temporary
        raise GroupIncompleteError(message_, is_busy=False, is_recorded=is_outage) from error
    if failed:
        raise failed
