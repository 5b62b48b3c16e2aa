"""Reading a function's environment variables. What is wrong shows at cold start, in one form of error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Environment = Mapping[str, str]


def wrong(name: str, given: str | None, allowed: str) -> ValueError:
    """Make the error of a variable that is not what is allowed."""
    return ValueError(
        f"The environment variable {name} must be {allowed}, but is {given!r}. Set it on the Lambda function."
    )


def required(environment: Environment, name: str, *, default: str = "") -> str:
    """Return a variable without the spaces around it.

    Args:
        environment: All variables.
        name: The variable's name.
        default: The value where the variable isn't set, or blank. Default: it has to be set.

    Raises:
        ValueError: It isn't set, or blank.
    """
    allowed = "a text that is not blank"
    return matching(environment, name, pattern=r"(?s:.+)", allowed=allowed, default=default)


def matching(environment: Environment, name: str, *, pattern: str, allowed: str, default: str = "") -> str:
    """Return a variable of a certain form, without the spaces around it.

    Args:
        environment: All variables.
        name: The variable's name.
        pattern: A regular expression for the whole value.
        allowed: The same in words, for the error.
        default: The value where the variable isn't set, or blank. Default: it has to be set.

    Raises:
        ValueError: It isn't set, or not of that form.
    """
    value = environment.get(name, "").strip() or default
    if not re.fullmatch(pattern, value):
        raise wrong(name, environment.get(name), allowed)
    return value


def one_of(environment: Environment, name: str, values: Sequence[str], *, default: str = "") -> str:
    """Return a variable that has one of some values.

    Args:
        environment: All variables.
        name: The variable's name.
        values: What is allowed.
        default: The value where the variable isn't set, or blank. Default: it has to be set.

    Raises:
        ValueError: It isn't set, or none of the values.
    """
    pattern = "|".join(map(re.escape, values))
    allowed = f"one of {', '.join(values)}"
    return matching(environment, name, pattern=pattern, allowed=allowed, default=default)


def listed(environment: Environment, name: str) -> tuple[str, ...]:
    """Return the items of a variable that are separated by commas; none where it isn't set."""
    return tuple(item.strip() for item in environment.get(name, "").split(",") if item.strip())
