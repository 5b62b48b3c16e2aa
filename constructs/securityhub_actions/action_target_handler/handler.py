"""Lambda function of the CloudFormation custom resource ``Custom::SecurityHubActionTarget``.

It creates, updates and deletes one Security Hub custom action (in the API's words an action target) in
the account and region of the stack. This folder is the whole Lambda asset, handler ``handler.handle``, so
the module imports nothing but the standard library and the boto3 that the Lambda runtime brings.

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

See Also:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateActionTarget.html
"""

from __future__ import annotations

import http.client
import itertools
import json
import logging
import re
import secrets
import time
import traceback
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_securityhub import SecurityHubClient

T = TypeVar("T")

LOGGER: Final = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

# CloudFormation deletes what a failed Create left behind by the physical id of the failed answer. This
# one is no ARN, so that Delete finds nothing to remove, least of all an action that somebody else made.
NOT_CREATED: Final = "custom-action-not-created"

ACTION_TARGET_QUOTA: Final = 50
MAX_ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 16.0
# Enough for one more API call that times out (10 s) and three attempts to answer (about 17 s).
ANSWER_RESERVE_SECONDS: Final = 30.0
ANSWER_ATTEMPTS: Final = 3
ANSWER_TIMEOUT_SECONDS: Final = 5.0
# CloudFormation refuses a larger answer, and a refused answer is a stack that hangs for an hour.
ANSWER_LIMIT_BYTES: Final = 4096

THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
NOT_SUBSCRIBED: Final = re.compile(r"not (subscribed|enabled|registered)", re.IGNORECASE)
NO_PERMISSION: Final = re.compile(r"permission|not authori[sz]ed|denied|explicit deny", re.IGNORECASE)
STACK_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):cloudformation:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):stack/\S+"
)


class LambdaContext(Protocol):
    """The part of the Lambda context object that this function reads."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda stops the invocation."""


class RequestFailedError(Exception):
    """The request cannot be fulfilled; the message says why and what to do, and becomes the Reason."""


class UnanswerableRequestError(ValueError):
    """The event has no usable ResponseURL, so nobody can be told the outcome."""


class AnswerNotDeliveredError(RuntimeError):
    """Every attempt to deliver the answer failed; raised so that Lambda delivers the request again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the stack lives, and therefore its action."""

    partition: str
    region: str
    account: str

    @classmethod
    def of_stack(cls, stack_id: str) -> Place:
        """Read the place from a stack's ARN.

        Raises:
            RequestFailedError: The text is no stack ARN.
        """
        match = STACK_ARN.fullmatch(stack_id)
        if match is None:
            raise RequestFailedError(f"StackId is {_shown(stack_id)}, which is not the ARN of a stack.")
        return cls(**match.groupdict())

    def action_arn(self, action_id: str) -> str:
        """Return the ARN that Security Hub gives to the action with this id."""
        return f"arn:{self.partition}:securityhub:{self.region}:{self.account}:action/custom/{action_id}"

    def owns(self, arn: str) -> bool:
        """Say whether the text is the ARN of a custom action of this account and region."""
        prefix = self.action_arn("")
        return arn.startswith(prefix) and arn != prefix

    def __str__(self) -> str:
        return f"account {self.account}, region {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTarget:
    """The action as the template wants it."""

    action_id: str
    name: str
    description: str
    adopt_existing: bool

    @classmethod
    def from_properties(cls, properties: object) -> ActionTarget:
        """Read the resource's properties; lengths and characters are left to the API's own checks.

        Raises:
            RequestFailedError: A property is missing, blank or of the wrong type.
        """
        fields = _required_fields(properties)
        return cls(
            action_id=_required_text(fields, "Id"),
            name=_required_text(fields, "Name"),
            description=_required_text(fields, "Description"),
            adopt_existing=_adopts(fields),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A well-formed CloudFormation request."""

    request_type: str
    place: Place
    physical_id: str
    properties: object

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Request:
        """Check what every request needs, before anything is done.

        Raises:
            RequestFailedError: A field is missing or of the wrong type.
        """
        for name in ("RequestId", "LogicalResourceId"):
            _required_text(event, name)
        request_type = _required_text(event, "RequestType")
        if request_type not in {"Create", "Update", "Delete"}:
            allowed = "Create, Update and Delete are the ones that exist"
            raise RequestFailedError(f"RequestType is {_shown(request_type)}; {allowed}.")
        return cls(
            request_type=request_type,
            place=Place.of_stack(_required_text(event, "StackId")),
            physical_id="" if request_type == "Create" else _required_text(event, "PhysicalResourceId"),
            # Checked when they are needed: the Delete that rolls a failed Create back comes with the very
            # properties that made it fail, and must succeed.
            properties=event.get("ResourceProperties"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What CloudFormation is told."""

    physical_id: str
    reason: str = ""

    @property
    def status(self) -> str:
        """Return ``FAILED`` if there is a reason, ``SUCCESS`` if not."""
        return "FAILED" if self.reason else "SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Repeats calls that were throttled or met a passing fault, as long as there is time to answer."""

    remaining_seconds: Callable[[], float]
    sleep: Callable[[float], None]
    uniform: Callable[[float, float], float] = field(default=secrets.SystemRandom().uniform)

    def run(self, call: Callable[[], T]) -> T:
        """Return the call's result, repeating it at most ``MAX_ATTEMPTS`` times with growing pauses.

        Raises:
            RequestFailedError: It kept failing, or the time left is needed for the answer.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return call()
            except (ClientError, HTTPClientError, NoConnectionError) as error:
                if not (_was_throttled(error) or _is_passing_fault(error)):
                    raise
                longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
                delay = self.uniform(longest / 2, longest)
                out_of_time = self.remaining_seconds() - delay < ANSWER_RESERVE_SECONDS
                if out_of_time or attempt == MAX_ATTEMPTS:
                    raise RequestFailedError(_gave_up(error, attempt, out_of_time=out_of_time)) from error
            self.sleep(delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The custom actions of one account and region."""

    client: SecurityHubClient
    place: Place
    patience: Patience

    def create(self, wanted: ActionTarget) -> str:
        """Create the action, or adopt the one that exists if that is wanted, and return its ARN.

        Looking first is what later tells our own action from another's. If a call's outcome is unknown
        (server error, lost connection) and its repetition meets a conflict, then an action that was absent
        a moment ago and carries exactly the wanted texts is the one we just made.

        That proof does not outlive the invocation. When Lambda delivers a request again because the first
        delivery crashed after creating the action, nothing in Security Hub says who made it: actions have
        no creator, token or tag, and equal texts may be a person's own action, which this stack would later
        delete. So it counts as a conflict. Failing leaves at worst an unused action, which the message
        says how to adopt; guessing could destroy one that is in use.

        Raises:
            RequestFailedError: The id is taken, the quota is reached, or Security Hub kept failing.
            ClientError: Security Hub refused.
        """
        arn = self.place.action_arn(wanted.action_id)
        if self._texts(arn) is not None:
            return self._adopt(arn, wanted)
        outcome_unknown = False

        def attempt() -> str:
            nonlocal outcome_unknown
            try:
                return self.client.create_action_target(
                    Id=wanted.action_id, Name=wanted.name, Description=wanted.description
                )["ActionTargetArn"]
            except (ClientError, HTTPClientError, NoConnectionError) as error:
                if _code(error) == "ResourceConflictException":
                    is_ours = outcome_unknown and self._texts(arn) == (wanted.name, wanted.description)
                    return arn if is_ours else self._adopt(arn, wanted)
                if _code(error) == "LimitExceededException":
                    self._refuse_if_full()
                outcome_unknown = outcome_unknown or _is_passing_fault(error)
                raise

        return self.patience.run(attempt)

    def replace(self, wanted: ActionTarget) -> str:
        """Create the action that takes the place of one with another id, and return its ARN.

        An action that is there already with exactly the wanted texts is taken for the stack's own: rolling
        back a finished replacement can come as an Update back to the old id, whose action is deleted only in
        the cleanup afterwards. Refusing it would leave the stack in UPDATE_ROLLBACK_FAILED, which a person
        has to repair.

        Raises:
            RequestFailedError: As in ``create``.
            ClientError: Security Hub refused.
        """
        arn = self.place.action_arn(wanted.action_id)
        return arn if self._texts(arn) == (wanted.name, wanted.description) else self.create(wanted)

    def update(self, arn: str, wanted: ActionTarget) -> str:
        """Set the action's name and description, recreate it if it is gone, and return its ARN.

        Raises:
            RequestFailedError: As in ``create``.
            ClientError: Security Hub refused.
        """
        try:
            self._set_texts(arn, wanted)
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise
            return self.create(wanted)
        return arn

    def delete(self, arn: str) -> None:
        """Delete the action; one that is gone, or went with its Security Hub subscription, is no error.

        Raises:
            RequestFailedError: Security Hub kept failing.
            ClientError: Security Hub refused.
        """
        try:
            self.patience.run(lambda: self.client.delete_action_target(ActionTargetArn=arn))
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException" and not _is_not_subscribed(error):
                raise

    def _adopt(self, arn: str, wanted: ActionTarget) -> str:
        if not wanted.adopt_existing:
            raise RequestFailedError(
                f"ResourceConflictException: the custom action {arn} already exists and this stack cannot "
                'know whose it is. To take it over, set AdoptExisting to "true" (adopt_existing=True on the '
                "construct): its name and description are then set to the template's and it is kept when "
                "the resource is deleted. Otherwise choose another Id, or delete the existing action if "
                "nothing uses it, such as one left behind by an interrupted deployment."
            )
        self._set_texts(arn, wanted)
        return arn

    def _set_texts(self, arn: str, wanted: ActionTarget) -> None:
        self.patience.run(
            lambda: self.client.update_action_target(
                ActionTargetArn=arn, Name=wanted.name, Description=wanted.description
            )
        )

    def _texts(self, arn: str) -> tuple[str, str] | None:
        """Return the name and description of an existing action, None if there is none."""
        try:
            answer = self.patience.run(lambda: self.client.describe_action_targets(ActionTargetArns=[arn]))
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise
            return None
        # Compared by ARN: names are not unique.
        found = [target for target in answer["ActionTargets"] if target["ActionTargetArn"] == arn]
        return (found[0]["Name"], found[0]["Description"]) if found else None

    def _refuse_if_full(self) -> None:
        """Tell the quota from throttling, which Security Hub reports with the same error code."""
        existing = self.patience.run(self._count)
        if existing >= ACTION_TARGET_QUOTA:
            raise RequestFailedError(
                f"LimitExceededException: {existing} custom actions exist in {self.place}, where Security "
                f"Hub's quota is {ACTION_TARGET_QUOTA}. Delete one that is not used, or move this action "
                "to another account."
            )

    def _count(self) -> int:
        pages = self.client.get_paginator("describe_action_targets").paginate()
        return sum(len(page["ActionTargets"]) for page in pages)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTargetResource:
    """The custom resource with its ways to the outside, so that a test brings its own.

    Attributes:
        make_client: Returns a Security Hub client for a region. It must not retry by itself: a repetition
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
            _log(logging.ERROR, {}, outcome="UNANSWERED", reason="The event has no usable ResponseURL.")
            raise UnanswerableRequestError(
                "The event has no ResponseURL to answer to, so it is no CloudFormation custom resource "
                "request. Nothing was done. Only CloudFormation should invoke this function."
            )
        request_id = str(event.get("RequestId"))
        body = self.undelivered.pop(request_id, None)
        if body is None:
            outcome = self._fulfil(event, context)
            level = logging.ERROR if outcome.reason else logging.INFO
            _log(level, event, outcome=outcome.status, answered_id=outcome.physical_id, reason=outcome.reason)
            body = _body(event, outcome)
        try:
            self._deliver(url, body)
        except AnswerNotDeliveredError:
            self.undelivered[request_id] = body
            raise

    def _fulfil(self, event: Mapping[str, Any], context: LambdaContext) -> Outcome:
        physical_id = event.get("PhysicalResourceId")
        # A failed Update must keep its id, or CloudFormation would delete the live action as replaced.
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
            return Outcome(physical_id=on_failure, reason=_explain(error, request.place))
        except Exception as error:  # noqa: BLE001 - an unanswered request hangs the stack for an hour
            _log(logging.ERROR, event, outcome="UNEXPECTED", traceback=traceback.format_exc())
            reason = f"{type(error).__name__}: {error}. Unexpected: see the log of this Lambda function."
            return Outcome(physical_id=on_failure, reason=reason)

    def _act(self, request: Request, patience: Patience) -> str:
        """Do what is asked and return the physical id."""
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
        # The id of a failed Create, or of something that this resource never made.
        if not request.place.owns(request.physical_id):
            return request.physical_id
        if not _adopts(_required_fields(request.properties)):
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
                _log(logging.WARNING, {}, outcome="ANSWER_NOT_DELIVERED", attempt=attempt, failure=failure)
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


def _put(url: str, body: bytes) -> None:
    # The URL's signature covers an empty content type; urllib would otherwise send that of a form.
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310 - respond() let only HTTP(S) through
    with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_SECONDS):  # noqa: S310 - as above
        pass


RESOURCE: Final = ActionTargetResource(make_client=_make_client, put=_put, sleep=time.sleep)


def _required_text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value.strip():
        return value
    given = "missing" if value is None else _shown(value)
    raise RequestFailedError(f"{name} is {given}; a text that is not blank is required.")


def _required_fields(properties: object) -> dict[str, Any]:
    if isinstance(properties, dict):
        return properties
    raise RequestFailedError(f"ResourceProperties is {_shown(properties)}; an object is required.")


def _adopts(properties: Mapping[str, Any]) -> bool:
    value = properties.get("AdoptExisting", "false")
    if value not in ("true", "false"):
        raise RequestFailedError(f'AdoptExisting is {_shown(value)}; "true" and "false" are allowed.')
    return bool(value == "true")


def _code(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def _was_throttled(error: Exception) -> bool:
    return _code(error) in THROTTLED


def _is_passing_fault(error: Exception) -> bool:
    """Say whether Security Hub or the way to it failed, so that the call may or may not have had effect."""
    if isinstance(error, ClientError):
        return (
            error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        )
    return True


def _is_not_subscribed(error: ClientError) -> bool:
    message = error.response["Error"].get("Message", "")
    return _code(error) == "InvalidAccessException" and NOT_SUBSCRIBED.search(message) is not None


def _gave_up(error: Exception, attempts: int, *, out_of_time: bool) -> str:
    tried = f"still failing after {attempts} attempts" + (
        ", and the function's time is up" if out_of_time else ""
    )
    if _was_throttled(error):
        cure = (
            "Security Hub throttles this account's calls: deploy again later, or with fewer stacks at once."
        )
    else:
        cure = "Security Hub could not be reached or had an internal error: deploy again later."
    return f"{_code(error)}: {error}; {tried}. {cure}"


def _explain(error: ClientError, place: Place) -> str:
    """Return the error with its code, and what to do about it."""
    code, message = _code(error), error.response["Error"].get("Message", "")
    enable = f"enable Security Hub in {place}, then deploy again"
    allow = (
        f"allow securityhub:{error.operation_name} to the role of this Lambda function, and look for a "
        "service control policy that denies it"
    )
    if _is_not_subscribed(error):
        cure = f"Not subscribed: {enable}."
    elif code.startswith("AccessDenied") or (
        code == "InvalidAccessException" and NO_PERMISSION.search(message)
    ):
        cure = f"No permission: {allow}."
    elif code == "InvalidAccessException":
        cure = f"Either the account is not subscribed: {enable}. Or there is no permission: {allow}."
    elif code == "InvalidInputException":
        cure = (
            "Correct the property: Id takes 1 to 20 letters and digits, Name 1 to 20 characters, "
            "Description must not be blank."
        )
    else:
        cure = "Look the code up in the Security Hub API reference."
    return f"{code} from {error.operation_name} in {place}: {message} {cure}"


def _body(event: Mapping[str, Any], outcome: Outcome) -> bytes:
    """Return the answer as JSON that CloudFormation takes whatever the event held."""
    answer: dict[str, Any] = {
        "Status": outcome.status,
        "PhysicalResourceId": _clipped(outcome.physical_id, 1024),
        "StackId": _clipped(_echo(event, "StackId"), 512),
        "RequestId": _clipped(_echo(event, "RequestId"), 128),
        "LogicalResourceId": _clipped(_echo(event, "LogicalResourceId"), 256),
    }
    if outcome.reason:
        answer["Reason"] = ""
        room = ANSWER_LIMIT_BYTES - 1 - len(json.dumps(answer))
        answer["Reason"] = _clipped(outcome.reason, room)
    elif event.get("RequestType") != "Delete":
        answer["Data"] = {"ActionTargetArn": outcome.physical_id}
    return json.dumps(answer).encode("ascii")


def _echo(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _clipped(text: str, limit: int) -> str:
    """Cut a text so that its JSON form, without the quotes, has at most ``limit`` bytes."""
    kept = text[:limit]
    if kept == text and len(json.dumps(text)) - 2 <= limit:
        return text
    sizes = itertools.accumulate(len(json.dumps(character)) - 2 for character in kept)
    return kept[: sum(size <= limit - 3 for size in sizes)] + "..."


def _shown(value: object) -> str:
    return _clipped(repr(value), 100)


def _log(level: int, event: Mapping[str, Any], **fields: object) -> None:
    """Write one JSON line. The event as a whole is never logged: its ResponseURL is a credential."""
    names = ("RequestType", "LogicalResourceId", "StackId", "PhysicalResourceId", "RequestId")
    LOGGER.log(level, json.dumps({name: _echo(event, name) for name in names} | fields))
