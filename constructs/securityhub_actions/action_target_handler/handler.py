"""The Lambda function of the CloudFormation custom resource `Custom::SecurityHubActionTarget`.

It creates, updates, and deletes one Security Hub custom action (an action target in the API) in the stack's
account and Region. This package is the whole deployment package, with the handler
`action_target_handler.handler.handle`, so it imports only the standard library and the boto3 of the Lambda
runtime.

The properties of the resource are strings, because CloudFormation sends strings:

* `Id`: 1 to 20 characters, the last part of the action's ARN. A new `Id` replaces the action.
* `Name`: 1 to 20 characters, the name in the console. It is updated in place.
* `Description`: not blank. It is updated in place.
* `AdoptExisting`: `"true"` takes over an existing action with this `Id`, and retains the action when the
  resource is deleted or replaced. `"false"`, the default, fails if the action exists.

`PhysicalResourceId` and the attribute `ActionTargetArn` are the ARN of the action.

The function's role needs `securityhub:CreateActionTarget`, `UpdateActionTarget`, `DeleteActionTarget`, and
`DescribeActionTargets` on the hub, and `cloudformation:DescribeStacks` on its stack. The function's timeout
should be much longer than `ANSWER_RESERVE_SECONDS`, because retries stop that long before it.

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


# After a failed Create, CloudFormation sends a Delete request with the physical ID of the response. This one
# isn't an ARN, so that Delete doesn't remove anything, such as an action that somebody else created.
NOT_CREATED: Final = "custom-action-not-created"


class LambdaContext(Protocol):
    """The part of the Lambda context object that this function uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until Lambda stops the invocation, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTargetResource:
    """The custom resource. Tests replace its connections to AWS and to the clock.

    Attributes:
        make_client: Returns a Security Hub client for a Region. It must not retry, because `Patience` does,
            and stops in time for the response.
        read_stack_status: Returns the status of a stack, from its ARN and its Region.
        put: Sends a body to a URL. Raises OSError, HTTPException, or ValueError if that fails.
        sleep: Waits for a number of seconds.
    """

    make_client: Callable[[str], SecurityHubClient]
    read_stack_status: Callable[[str, str], str]
    put: Callable[[str, bytes], None]
    sleep: Callable[[float], None]
    # Responses that couldn't be delivered, by RequestId. If Lambda retries the request in the same execution
    # environment, the response is sent again, where repeating the work could be a conflict.
    undelivered: dict[str, bytes] = field(default_factory=dict)

    def respond(self, event: object, context: LambdaContext) -> None:
        """Fulfill one CloudFormation request, and send exactly one response in any case.

        Args:
            event: The request as Lambda passes it, valid or not.
            context: The Lambda context, for the remaining time.

        Raises:
            UnanswerableRequestError: There is no ResponseURL to send the response to.
            AnswerNotDeliveredError: The response couldn't be delivered.
        """
        url = event.get("ResponseURL") if isinstance(event, dict) else None
        if (
            not isinstance(event, dict)
            or not isinstance(url, str)
            or not url.startswith(("https://", "http://"))
        ):
            log(logging.ERROR, {}, outcome="UNANSWERED", reason="The event has no valid ResponseURL.")
            raise UnanswerableRequestError(
                "The event has no ResponseURL, so it isn't a request from CloudFormation for a custom "
                "resource. Nothing was changed. Only CloudFormation should invoke this function."
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
        # A failed Update must return the same ID. Otherwise, CloudFormation would take the action for
        # replaced, and delete it.
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
        except Exception as error:  # noqa: BLE001 - without a response, the stack waits until the resource times out
            log(logging.ERROR, event, outcome="UNEXPECTED", traceback=traceback.format_exc())
            reason = (
                f"Unexpected error: {type(error).__name__}: {error}. See the log of this Lambda function."
            )
            return Outcome(physical_id=on_failure, reason=reason)

    def _act(self, request: Request, patience: Patience) -> str:
        """Fulfill the request, and return the physical ID."""
        if request.request_type == "Delete":
            return self._delete(request, patience)
        wanted = ActionTarget.from_properties(request.properties)
        hub = self._hub(request, patience)
        # Compared with the physical ID and not with OldResourceProperties, which after a failed replacement
        # describe an action that was never created.
        if request.physical_id == request.place.action_arn(wanted.action_id):
            return hub.update(request.physical_id, wanted, previous=request.previous_texts)
        if request.request_type == "Update":
            return hub.replace(wanted)
        return hub.create(wanted)

    def _delete(self, request: Request, patience: Patience) -> str:
        # Any other ID is that of a failed Create, or of something that this resource never created.
        if request.place.owns(request.physical_id) and not adopts(required_fields(request.properties)):
            # CloudFormation sends the properties of the resource that it deletes, also after a replacement:
            # https://github.com/aws/aws-cdk/pull/29581
            own = ActionTarget.from_properties(request.properties)
            if not self._hub(request, patience).delete(request.physical_id, own):
                log(
                    logging.WARNING,
                    request.event,
                    outcome="RETAINED",
                    reason="The action isn't deleted, because this stack didn't give it its name and "
                    "description. Delete it if nothing uses it.",
                )
        return request.physical_id

    def _hub(self, request: Request, patience: Patience) -> Hub:
        return Hub(
            client=self.make_client(request.place.region),
            place=request.place,
            patience=patience,
            request_id=request.request_id,
            is_rolling_back=lambda: self._is_rolling_back(request, patience),
        )

    def _is_rolling_back(self, request: Request, patience: Patience) -> bool:
        """Return whether CloudFormation is rolling back an update of the stack, which the event doesn't say.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
        """
        try:
            status = patience.run(lambda: self.read_stack_status(request.stack_id, request.place.region))
        except (ClientError, RequestFailedError) as error:
            log(logging.WARNING, request.event, outcome="STACK_STATUS_UNKNOWN", reason=str(error))
            return False
        return status == "UPDATE_ROLLBACK_IN_PROGRESS"

    def _deliver(self, url: str, body: bytes) -> None:
        for attempt in range(1, ANSWER_ATTEMPTS + 1):
            try:
                self.put(url, body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                # Only the type: the message can contain the signed URL, which is a credential.
                failure = type(error).__name__
                log(logging.WARNING, {}, outcome="ANSWER_NOT_DELIVERED", attempt=attempt, failure=failure)
            else:
                return
            if attempt < ANSWER_ATTEMPTS:
                self.sleep(attempt)
        raise AnswerNotDeliveredError(
            f"The response couldn't be delivered in {ANSWER_ATTEMPTS} attempts. The last error is {failure}."
        ) from None


def handle(event: object, context: LambdaContext) -> None:
    """Fulfill one CloudFormation request. This is the Lambda function's entry point."""
    RESOURCE.respond(event, context)


# No retries: `Patience` retries, and stops in time for the response.
_CONFIG: Final = Config(connect_timeout=2, read_timeout=8, retries={"total_max_attempts": 1})


def _make_client(region: str) -> SecurityHubClient:
    return boto3.client("securityhub", region_name=region, config=_CONFIG)


def _read_stack_status(stack_id: str, region: str) -> str:
    client = boto3.client("cloudformation", region_name=region, config=_CONFIG)
    return client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]


RESOURCE: Final = ActionTargetResource(
    make_client=_make_client, read_stack_status=_read_stack_status, put=put, sleep=time.sleep
)
