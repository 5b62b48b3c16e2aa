"""Security Hub's API for action targets, with retries, and with errors that say what to do."""

from __future__ import annotations

import contextlib
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

from .requests import ActionTarget, Place, RequestFailedError, Texts

T = TypeVar("T")


ACTION_TARGET_QUOTA: Final = 50
MAX_ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 16.0
# Enough for three API calls that time out (10 s each), which are the last attempt and two to leave nothing
# behind, and for three attempts to respond (about 17 s).
ANSWER_RESERVE_SECONDS: Final = 50.0
THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_ADOPT: Final = (
    'To take it over, set AdoptExisting to "true" (adopt_existing=True on the construct): the action then '
    "gets the name and description in the template, and is retained when the resource is deleted."
)
NOT_SUBSCRIBED: Final = re.compile(r"not (subscribed|enabled|registered)", re.IGNORECASE)
NO_PERMISSION: Final = re.compile(r"permission|not authori[sz]ed|denied|explicit deny", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Retries calls that were throttled or failed temporarily, while there is enough time to respond."""

    remaining_seconds: Callable[[], float]
    sleep: Callable[[float], None]
    uniform: Callable[[float, float], float] = field(default=secrets.SystemRandom().uniform)

    def run(self, call: Callable[[], T]) -> T:
        """Return the result of a call, with up to `MAX_ATTEMPTS` attempts and exponential backoff.

        Raises:
            RequestFailedError: The call kept failing, or the remaining time is needed for the response.
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
    """The custom actions of one account and Region.

    Security Hub doesn't record who created an action, and actions have no tags. So an action counts as the
    stack's own only if its name and description are those that the stack gave it. Any other action is left
    as it is, unless `AdoptExisting` is set.

    Attributes:
        client: The Security Hub client.
        place: The account and Region.
        patience: Retries the calls.
        request_id: The ID of CloudFormation's request, the same if Lambda retries the invocation.
        is_rolling_back: Returns whether CloudFormation is rolling back the stack. False if that is unknown.
    """

    client: SecurityHubClient
    place: Place
    patience: Patience
    request_id: str
    is_rolling_back: Callable[[], bool]

    def create(self, wanted: ActionTarget) -> str:
        """Create the action, or adopt the existing one if requested, and return its ARN.

        A call can succeed although its response is lost, and the retry then meets a conflict. To recognize
        the action that it created, the call sets a description that contains the ID of the request, and the
        wanted description follows in a second call. An action with another description belongs to somebody
        else, even if its name and description are the wanted ones.

        Raises:
            RequestFailedError: The ID is taken, the quota is reached, or Security Hub kept failing.
            ClientError: Security Hub rejected the call.
        """
        arn = self.place.action_arn(wanted.action_id)
        found = self._texts(arn)
        if found is None:
            found = self._create_marked(wanted)
        if found != (wanted.name, self._mark):
            return self._adopt(arn, wanted)
        try:
            self._set_texts(arn, wanted)
        except Exception:
            if not self._is_complete_after_all(arn, wanted):
                raise
        return arn

    def replace(self, wanted: ActionTarget) -> str:
        """Create the action that replaces one with another ID, and return its ARN.

        When CloudFormation rolls back a replacement, it updates the resource to its previous ID, whose action
        still exists: old resources are deleted only in the cleanup at the end. That action isn't changed.
        Outside a rollback, an existing action is a conflict, whatever its name and description.

        Raises:
            RequestFailedError: As for `create`.
            ClientError: Security Hub rejected the call.

        Source: https://github.com/aws/aws-cdk/pull/29581
        """
        arn = self.place.action_arn(wanted.action_id)
        if not wanted.adopt_existing and self._texts(arn) is not None and self.is_rolling_back():
            return arn
        return self.create(wanted)

    def update(self, arn: str, wanted: ActionTarget, *, previous: Texts | None) -> str:
        """Set the name and description of the action, create it again if it is missing, and return its ARN.

        An action with other texts than the previous ones was changed, or deleted and created again, by
        somebody else. It is left as it is: the update fails, but a rollback must not.

        Args:
            arn: The ARN of the action.
            wanted: The action that the template defines.
            previous: The name and description that the stack gave the action before, if known.

        Raises:
            RequestFailedError: As for `create`, or somebody else changed the action.
            ClientError: Security Hub rejected the call.
        """
        found = self._texts(arn)
        if found is None:
            return self.create(wanted)
        if found == wanted.texts:
            return arn
        if found == previous or wanted.adopt_existing:
            self._set_texts(arn, wanted)
        elif not self.is_rolling_back():
            raise RequestFailedError(
                f"The custom action {arn} has the name {found[0]!r} and the description {found[1]!r}, which "
                "this stack didn't set. It was changed or created again by somebody else, and isn't "
                f"overwritten. {_ADOPT} Or restore its previous name and description."
            )
        return arn

    def delete(self, arn: str, own: ActionTarget) -> bool:
        """Delete the action unless somebody else changed or created it.

        It isn't an error if the action, or the account's subscription to Security Hub, no longer exists.

        Args:
            arn: The ARN of the action.
            own: The action as the stack created it.

        Returns:
            False if an action with this ARN remains, because it isn't the one that the stack created.

        Raises:
            RequestFailedError: Security Hub kept failing.
            ClientError: Security Hub rejected the call.
        """
        try:
            found = self._texts(arn)
            if found is None:
                return True
            if found != own.texts or arn != self.place.action_arn(own.action_id):
                return False
            self.patience.run(lambda: self.client.delete_action_target(ActionTargetArn=arn))
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException" and not _is_not_subscribed(error):
                raise
        return True

    @property
    def _mark(self) -> str:
        return f"Being created by CloudFormation request {self.request_id}"

    def _create_marked(self, wanted: ActionTarget) -> Texts | None:
        """Create the action with the mark as its description, and return the texts of the action that exists.

        If another action takes the ID at the same time, the texts are those of that action.
        """
        arn = self.place.action_arn(wanted.action_id)
        texts = wanted.name, self._mark

        def attempt() -> Texts | None:
            try:
                self.client.create_action_target(Id=wanted.action_id, Name=texts[0], Description=texts[1])
            except ClientError as error:
                if _code(error) == "ResourceConflictException":
                    return self._texts(arn)
                if _code(error) == "LimitExceededException":
                    self._refuse_if_full()
                raise
            return texts

        return self.patience.run(attempt)

    def _is_complete_after_all(self, arn: str, wanted: ActionTarget) -> bool:
        """Return whether an action has its texts although setting them failed. With the mark, delete it.

        It has them if only the response was lost, or if Lambda invoked the function twice at once for the
        request. What others made of the action meanwhile is left as it is.
        """
        # Nobody would recognize the action later. If this fails, the next conflict says how to proceed.
        with contextlib.suppress(ClientError, HTTPClientError, NoConnectionError, RequestFailedError):
            found = self._texts(arn)
            if found == (wanted.name, self._mark):
                self.client.delete_action_target(ActionTargetArn=arn)
            return found == wanted.texts
        return False

    def _adopt(self, arn: str, wanted: ActionTarget) -> str:
        if not wanted.adopt_existing:
            raise RequestFailedError(
                f"ResourceConflictException: the custom action {arn} already exists, and this stack doesn't "
                f"know whose it is. {_ADOPT} Otherwise, choose another ID, or delete the existing action if "
                "nothing uses it, for example because an interrupted deployment left it behind."
            )
        self._set_texts(arn, wanted)
        return arn

    def _set_texts(self, arn: str, wanted: ActionTarget) -> None:
        self.patience.run(
            lambda: self.client.update_action_target(
                ActionTargetArn=arn, Name=wanted.name, Description=wanted.description
            )
        )

    def _texts(self, arn: str) -> Texts | None:
        """Return the name and description of an existing action, or None if there is none."""
        try:
            answer = self.patience.run(lambda: self.client.describe_action_targets(ActionTargetArns=[arn]))
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise
            return None
        # Compared by ARN, because names aren't unique.
        found = [target for target in answer["ActionTargets"] if target["ActionTargetArn"] == arn]
        return (found[0]["Name"], found[0]["Description"]) if found else None

    def _refuse_if_full(self) -> None:
        """Raise if the quota is reached. Security Hub reports throttling with the same error code."""
        existing = self.patience.run(self._count)
        if existing >= ACTION_TARGET_QUOTA:
            raise RequestFailedError(
                f"LimitExceededException: {existing} custom actions exist in {self.place}, where the quota "
                f"is {ACTION_TARGET_QUOTA}. Delete one that isn't used, or create this action in another "
                "account."
            )

    def _count(self) -> int:
        pages = self.client.get_paginator("describe_action_targets").paginate()
        return sum(len(page["ActionTargets"]) for page in pages)


def _code(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def _was_throttled(error: Exception) -> bool:
    return _code(error) in THROTTLED


def _is_passing_fault(error: Exception) -> bool:
    """Return whether Security Hub or the network failed, so that the call may have taken effect or not."""
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
        ", and the function is out of time" if out_of_time else ""
    )
    if _was_throttled(error):
        cure = (
            "Security Hub throttles this account's calls. Deploy again later, or deploy fewer stacks at once."
        )
    else:
        cure = "Security Hub couldn't be reached or had an internal error. Deploy again later."
    return f"{_code(error)}: {error} ({tried}). {cure}"


def explain(error: ClientError, place: Place) -> str:
    """Describe an error: its code, its message, and what to do."""
    code, message = _code(error), error.response["Error"].get("Message", "")
    enable = f"enable Security Hub in {place}, then deploy again"
    allow = (
        f"allow securityhub:{error.operation_name} for the role of this Lambda function, and check whether a "
        "service control policy denies it"
    )
    if _is_not_subscribed(error):
        cure = f"The account isn't subscribed: {enable}."
    elif code.startswith("AccessDenied") or (
        code == "InvalidAccessException" and NO_PERMISSION.search(message)
    ):
        cure = f"A permission is missing: {allow}."
    elif code == "InvalidAccessException":
        cure = f"Either the account isn't subscribed: {enable}. Or a permission is missing: {allow}."
    elif code == "InvalidInputException":
        cure = (
            "Correct the property: Id can have 1 to 20 letters and digits, Name 1 to 20 characters, and "
            "Description can't be blank."
        )
    else:
        cure = "See this error in the Security Hub API reference."
    return f"{code} from {error.operation_name} in {place}: {message} {cure}"
