"""An in-memory Security Hub for one account and region, as far as custom actions go."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

STATUS = {
    "AccessDeniedException": 403,
    "InternalException": 500,
    "InvalidAccessException": 401,
    "InvalidInputException": 400,
    "LimitExceededException": 429,
    "ResourceConflictException": 409,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An error that one call meets, before it had its effect or after."""

    error: str | Exception
    operation: str | None = None
    message: str = "injected"
    takes_effect: bool = False


@dataclass(kw_only=True)
class FakeSecurityHub:
    """Answers like the boto3 client; ``actions`` maps ARNs to (name, description)."""

    prefix: str = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/"
    quota: int = 50
    page_size: int = 20
    subscribed: bool = True
    actions: dict[str, tuple[str, str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    def create_action_target(self, *, Id: str, Name: str, Description: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            arn = self.prefix + Id
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", Id) or len(Name) > 20:
                raise _error("InvalidInputException", "CreateActionTarget", "Invalid parameter")
            if arn in self.actions:
                raise _error("ResourceConflictException", "CreateActionTarget", "Already exists")
            if len(self.actions) >= self.quota:
                raise _error("LimitExceededException", "CreateActionTarget", "Limit exceeded")
            self.actions[arn] = (Name, Description)
            return {"ActionTargetArn": arn}

        return self._call("CreateActionTarget", effect)

    def update_action_target(self, *, ActionTargetArn: str, Name: str, Description: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            if ActionTargetArn not in self.actions:
                raise _error("ResourceNotFoundException", "UpdateActionTarget", "Not found")
            if len(Name) > 20:
                raise _error("InvalidInputException", "UpdateActionTarget", "Invalid parameter Name")
            self.actions[ActionTargetArn] = (Name, Description)
            return {}

        return self._call("UpdateActionTarget", effect)

    def delete_action_target(self, *, ActionTargetArn: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            if self.actions.pop(ActionTargetArn, None) is None:
                raise _error("ResourceNotFoundException", "DeleteActionTarget", "Not found")
            return {"ActionTargetArn": ActionTargetArn}

        return self._call("DeleteActionTarget", effect)

    def describe_action_targets(
        self,
        *,
        ActionTargetArns: list[str] | None = None,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            wanted = list(self.actions) if ActionTargetArns is None else ActionTargetArns
            if not set(wanted) <= set(self.actions):
                raise _error("ResourceNotFoundException", "DescribeActionTargets", "Not found")
            start = int(NextToken)
            page = wanted[start : start + self.page_size]
            targets = [
                dict(zip(("ActionTargetArn", "Name", "Description"), (arn, *self.actions[arn]), strict=True))
                for arn in page
            ]
            more = start + self.page_size < len(wanted)
            return {"ActionTargets": targets} | ({"NextToken": str(start + self.page_size)} if more else {})

        return self._call("DescribeActionTargets", effect)

    def get_paginator(self, name: str) -> FakeSecurityHub:
        assert name == "describe_action_targets"
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        page = self.describe_action_targets()
        yield page
        while "NextToken" in page:
            page = self.describe_action_targets(NextToken=page["NextToken"])
            yield page

    def _call(self, operation: str, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(operation)
        self.on_call()
        fault = next((fault for fault in self.faults if fault.operation in (None, operation)), None)
        if fault is not None:
            self.faults.remove(fault)
            if fault.takes_effect:
                effect()
            raise (
                fault.error
                if isinstance(fault.error, Exception)
                else _error(fault.error, operation, fault.message)
            )
        if not self.subscribed:
            account = self.prefix.split(":")[4]
            raise _error(
                "InvalidAccessException",
                operation,
                f"Account {account} is not subscribed to AWS Security Hub",
            )
        return effect()


def _error(code: str, operation: str, message: str) -> ClientError:
    details = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": STATUS[code]},
    }
    return ClientError(details, operation)  # type: ignore[arg-type]
