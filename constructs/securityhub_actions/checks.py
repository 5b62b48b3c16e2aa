"""Validation of what users define, before anything is deployed.

Tokens, whose values are known only at deployment, aren't checked here but by CloudFormation or Security Hub.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateActionTarget.html
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

import jsii
from constructs import IConstruct, IValidation

from securityhub_actions.places import path_of
from securityhub_actions.tokens import is_token

MAX_ACTION_NAME_LENGTH: Final = 20
MAX_TARGETS_PER_RULE: Final = 5
MAX_RULE_DESCRIPTION_LENGTH: Final = 512
"""Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html"""

_ACTION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")


def check_action_id(action_id: str) -> None:
    """Raise ValueError unless the ID has 1 to 20 characters of A-Z, a-z, 0-9, `_` and `-`."""
    if not is_token(action_id) and not _ACTION_ID.fullmatch(action_id):
        raise ValueError(
            f"action_id {action_id!r} ({len(action_id)} characters) is not a custom action ID. "
            "Use 1 to 20 letters (A-Z, a-z), digits, '_', and '-', for example 'SendToTicketing'."
        )


def check_action_name(action_name: str) -> None:
    """Raise ValueError unless the name has 1 to 20 characters that are not all blank."""
    if is_token(action_name):
        return
    if not action_name.strip() or len(action_name) > MAX_ACTION_NAME_LENGTH:
        raise ValueError(
            f"action_name {action_name!r} has {len(action_name)} characters. Security Hub allows 1 to "
            f"{MAX_ACTION_NAME_LENGTH}, not all blank. Shorten it, and put the rest in the description."
        )


def check_description(description: str) -> None:
    """Raise ValueError if the description is blank."""
    if not is_token(description) and not description.strip():
        raise ValueError(
            f"description {description!r} is blank. Security Hub requires a description. State what the "
            "action does with the selected findings."
        )


def check_rule_description(description: str) -> None:
    """Raise ValueError if the description of an EventBridge rule is longer than EventBridge allows."""
    if len(description) > MAX_RULE_DESCRIPTION_LENGTH and not is_token(description):
        raise ValueError(
            f"description has {len(description)} characters. EventBridge allows "
            f"{MAX_RULE_DESCRIPTION_LENGTH}. Shorten it."
        )


def rule_description(text: str) -> str:
    """Return a text that wasn't written for a rule as its description, truncated if necessary."""
    if len(text) <= MAX_RULE_DESCRIPTION_LENGTH or is_token(text):
        return text
    return f"{text[: MAX_RULE_DESCRIPTION_LENGTH - 1]}…"


def check_target_count(rule: IConstruct, count: int) -> None:
    """Raise ValueError if a rule would have more targets than EventBridge allows."""
    if count > MAX_TARGETS_PER_RULE:
        raise ValueError(
            f"The rule {path_of(rule)} would have {count} targets. EventBridge allows {MAX_TARGETS_PER_RULE} "
            "per rule. Add another rule for the same action (action=...), or use an SNS topic to fan out."
        )


def known_length(value: object) -> int:
    """Count the characters of a resolved value as compact JSON, without what is known only at deployment.

    Args:
        value: The return value of `Stack.resolve`. Intrinsic functions such as `Fn::GetAtt` count as an empty
            string.

    Returns:
        The minimum number of characters in the deployed JSON.
    """
    return len(json.dumps(_without_intrinsics(value), separators=(",", ":"), ensure_ascii=False))


def _without_intrinsics(value: object) -> object:
    match value:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(part if isinstance(part, str) else "" for part in parts)
        case Mapping():
            if len(value) == 1 and any(key == "Ref" or key.startswith("Fn::") for key in value):
                return ""
            return {key: _without_intrinsics(item) for key, item in value.items()}
        case list():
            return [_without_intrinsics(item) for item in value]
        case _:
            return value


@jsii.implements(IValidation)
class Validation:
    """Runs a function at synthesis. Each string that it returns is an error of its construct."""

    def __init__(self, errors: Callable[[], list[str]]) -> None:
        self._errors = errors

    def validate(self) -> list[str]:
        """Return the errors, or an empty list if there are none."""
        return self._errors()
