"""Security Hub's API of action targets, with patience for what passes, and errors that say the cure."""

from __future__ import annotations

import http.client
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_securityhub import SecurityHubClient

from .requests import ActionTarget, Place, RequestFailedError

T = TypeVar("T")


ACTION_TARGET_QUOTA: Final = 50
MAX_ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 16.0
# Enough for one more API call that times out (10 s) and three attempts to answer (about 17 s).
ANSWER_RESERVE_SECONDS: Final = 30.0
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
    """The custom actions of one account and Region."""

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
            RequestFailedError: The ID is taken, the quota is reached, or Security Hub kept failing.
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
        """Create the action that takes the place of one with another ID, and return its ARN.

        An action that is there already with exactly the wanted texts is taken for the stack's own: rolling
        back a finished replacement can come as an Update back to the old ID, whose action is deleted only in
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


def explain(error: ClientError, place: Place) -> str:
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
