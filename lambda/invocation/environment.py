"""Reads a function's environment variables. A wrong value fails the cold start with a uniform error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Environment = Mapping[str, str]


def wrong(name: str, given: str | None, allowed: str) -> ValueError:
    """Return the error for a variable whose value isn't allowed."""
    return ValueError(
        f"The environment variable {name} must be {allowed}, but is {given!r}. Set it on the Lambda function."
    )


def required(environment: Environment, name: str, *, default: str = "") -> str:
    """Return the value of a variable, without surrounding white space.

    Args:
        environment: All variables.
        name: The variable's name.
        default: The value if the variable is missing or blank. Default: the variable is required.

    Raises:
        ValueError: The variable is required, and missing or blank.
    """
    allowed = "a text that is not blank"
    return matching(environment, name, pattern=r"(?s:.+)", allowed=allowed, default=default)


def matching(environment: Environment, name: str, *, pattern: str, allowed: str, default: str = "") -> str:
    """Return the value of a variable that must match a pattern, without surrounding white space.

    Args:
        environment: All variables.
        name: The variable's name.
        pattern: A regular expression for the whole value.
        allowed: A description of the pattern for the error.
        default: The value if the variable is missing or blank. Default: the variable is required.

    Raises:
        ValueError: The variable is required and missing, or its value doesn't match.
    """
    value = environment.get(name, "").strip() or default
    if not re.fullmatch(pattern, value):
        raise wrong(name, environment.get(name), allowed)
    return value


def one_of(environment: Environment, name: str, values: Sequence[str], *, default: str = "") -> str:
    """Return the value of a variable that must be one of several.

    Args:
        environment: All variables.
        name: The variable's name.
        values: The allowed values.
        default: The value if the variable is missing or blank. Default: the variable is required.

    Raises:
        ValueError: The variable is required and missing, or its value isn't one of these.
    """
    pattern = "|".join(map(re.escape, values))
    allowed = f"one of {', '.join(values)}"
    return matching(environment, name, pattern=pattern, allowed=allowed, default=default)


def listed(environment: Environment, name: str) -> tuple[str, ...]:
    """Return the comma-separated items of a variable, or none if it isn't set."""
    return tuple(item.strip() for item in environment.get(name, "").split(",") if item.strip())


def json_object(
    name: str, given: str, *, fits: Callable[[dict[str, Any]], bool], allowed: str
) -> dict[str, Any]:
    """Return the JSON object that is the value of a variable.

    Args:
        name: The variable's name.
        given: Its value.
        fits: Returns whether an object is allowed.
        allowed: A description of these objects for the error.

    Raises:
        ValueError: The value isn't a JSON object, or not an allowed one.
    """
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not fits(found):
        raise wrong(name, given, allowed)
    return found
