"""Lambda function of the CloudFormation custom resource ``Custom::SecurityHubActionTarget``.

It creates, updates and deletes one Security Hub custom action (in the API's words an action target) in
the account and Region of the stack. This package is the whole Lambda asset, handler
``action_target_handler.handler.handle``, so it imports nothing but the standard library and the boto3 that
the Lambda runtime brings.

Properties of the resource, all strings because CloudFormation sends strings:

* ``Id``: 1 to 20 characters, the last part of the action's ARN. A new ``Id`` replaces the action.
* ``Name``: 1 to 20 characters, the label in the console. Updated in place.
* ``Description``: not blank. Updated in place.
* ``AdoptExisting``: ``"true"`` takes over an action that already has this ``Id``, and keeps the action when
  the resource is deleted or replaced; ``"false"``, the default, fails on such an action and deletes its own.

``PhysicalResourceId`` and the attribute ``ActionTargetArn`` are the action's ARN.

The function's role needs ``securityhub:CreateActionTarget``, ``UpdateActionTarget``, ``DeleteActionTarget``
and ``DescribeActionTargets`` on the hub. Its timeout should be well above ``ANSWER_RESERVE_SECONDS``,
since waiting out a throttled API stops that long before the timeout.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateActionTarget.html
"""

from __future__ import annotations

import http.client
import logging
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .answers import (
    ANSWER_ATTEMPTS,
    AnswerNotDeliveredError,
    Outcome,
    UnanswerableRequestError,
    answer_body,
    log,
    put,
)
from .hub import Hub, Patience, explain
from .requests import ActionTarget, Request, RequestFailedError, adopts, required_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_securityhub import SecurityHubClient


# CloudFormation deletes what a failed Create left behind by the physical ID of the failed answer. This
# one is no ARN, so that Delete finds nothing to remove, least of all an action that somebody else made.
NOT_CREATED: Final = "custom-action-not-created"


class LambdaContext(Protocol):
    """The part of the Lambda context object that this function reads."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda stops the invocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTargetResource:
    """The custom resource with its ways to the outside, so that a test brings its own.

    Attributes:
        make_client: Returns a Security Hub client for a Region. It must not retry by itself: a repetition
            that nobody sees turns a lost answer into a conflict with our own action.
        put: Sends a body to a URL; raises OSError, HTTPException or ValueError if that failed.
        sleep: Waits for a number of seconds.
    """

    make_client: Callable[[str], SecurityHubClient]
    put: Callable[[str, bytes], None]
    sleep: Callable[[float], None]
    # Answers that could not be delivered, by RequestId. When Lambda delivers the same request again to the
    # same environment, repeating the answer is right where repeating the work could be a conflict.
    undelivered: dict[str, bytes] = field(default_factory=dict)

    def respond(self, event: object, context: LambdaContext) -> None:
        """Fulfil one CloudFormation request and send exactly one answer, whatever happens.

        Args:
            event: The request as Lambda passes it, well-formed or not.
            context: The Lambda context, for the time that is left.

        Raises:
            UnanswerableRequestError: There is no ResponseURL to send an answer to.
            AnswerNotDeliveredError: The answer could not be delivered.
        """
        url = event.get("ResponseURL") if isinstance(event, dict) else None
        if (
            not isinstance(event, dict)
            or not isinstance(url, str)
            or not url.startswith(("https://", "http://"))
        ):
            log(logging.ERROR, {}, outcome="UNANSWERED", reason="The event has no usable ResponseURL.")
            raise UnanswerableRequestError(
                "The event has no ResponseURL to answer to, so it is no CloudFormation custom resource "
                "request. Nothing was done. Only CloudFormation should invoke this function."
            )
        request_id = str(event.get("RequestId"))
        body = self.undelivered.pop(request_id, None)
        if body is None:
            outcome = self._fulfil(event, context)
            level = logging.ERROR if outcome.reason else logging.INFO
            log(level, event, outcome=outcome.status, answered_id=outcome.physical_id, reason=outcome.reason)
            body = answer_body(event, outcome)
        try:
            self._deliver(url, body)
        except AnswerNotDeliveredError:
            self.undelivered[request_id] = body
            raise

    def _fulfil(self, event: Mapping[str, Any], context: LambdaContext) -> Outcome:
        physical_id = event.get("PhysicalResourceId")
        # A failed Update must keep its ID, or CloudFormation would delete the live action as replaced.
        keeps_id = event.get("RequestType") != "Create" and isinstance(physical_id, str) and physical_id
        on_failure = str(physical_id) if keeps_id else NOT_CREATED
        patience = Patience(
            remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000, sleep=self.sleep
        )
        try:
            request = Request.from_event(event)
            return Outcome(physical_id=self._act(request, patience))
        except RequestFailedError as error:
            return Outcome(physical_id=on_failure, reason=str(error))
        except ClientError as error:
            return Outcome(physical_id=on_failure, reason=explain(error, request.place))
        except Exception as error:  # noqa: BLE001 - an unanswered request hangs the stack for an hour
            log(logging.ERROR, event, outcome="UNEXPECTED", traceback=traceback.format_exc())
            reason = f"{type(error).__name__}: {error}. Unexpected: see the log of this Lambda function."
            return Outcome(physical_id=on_failure, reason=reason)

    def _act(self, request: Request, patience: Patience) -> str:
        """Do what is asked and return the physical ID."""
        if request.request_type == "Delete":
            return self._delete(request, patience)
        wanted = ActionTarget.from_properties(request.properties)
        hub = self._hub(request, patience)
        # Compared with what exists, not with OldResourceProperties: after a failed replacement these tell
        # of an action that never came to be.
        if request.physical_id == request.place.action_arn(wanted.action_id):
            return hub.update(request.physical_id, wanted)
        if request.request_type == "Update":
            return hub.replace(wanted)
        return hub.create(wanted)

    def _delete(self, request: Request, patience: Patience) -> str:
        # The ID of a failed Create, or of something that this resource never made.
        if not request.place.owns(request.physical_id):
            return request.physical_id
        if not adopts(required_fields(request.properties)):
            self._hub(request, patience).delete(request.physical_id)
        return request.physical_id

    def _hub(self, request: Request, patience: Patience) -> Hub:
        return Hub(client=self.make_client(request.place.region), place=request.place, patience=patience)

    def _deliver(self, url: str, body: bytes) -> None:
        for attempt in range(1, ANSWER_ATTEMPTS + 1):
            try:
                self.put(url, body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                # Only the type: the message may quote the signed URL, which is a credential.
                failure = type(error).__name__
                log(logging.WARNING, {}, outcome="ANSWER_NOT_DELIVERED", attempt=attempt, failure=failure)
            else:
                return
            if attempt < ANSWER_ATTEMPTS:
                self.sleep(attempt)
        raise AnswerNotDeliveredError(
            f"CloudFormation took no answer in {ANSWER_ATTEMPTS} attempts, the last failed with {failure}."
        ) from None


def handle(event: object, context: LambdaContext) -> None:
    """Lambda's entry point: fulfil one CloudFormation request."""
    RESOURCE.respond(event, context)


def _make_client(region: str) -> SecurityHubClient:
    config = Config(connect_timeout=2, read_timeout=8, retries={"total_max_attempts": 1})
    return boto3.client("securityhub", region_name=region, config=config)


RESOURCE: Final = ActionTargetResource(make_client=_make_client, put=put, sleep=time.sleep)
