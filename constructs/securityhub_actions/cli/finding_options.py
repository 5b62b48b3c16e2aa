"""Options that are the fields of FindingFilter, and the filter that they make."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from securityhub_actions.filters import FindingFilter, Numeric, Prefix, Wildcard
from securityhub_actions.filters.fields import Field
from securityhub_actions.patterns import Condition, InvalidPatternError

_ANY: Final = "ANY"
_KEYED: Final = {
    "resource_tags": "A tag of a resource.",
    "user_defined_fields": "A field that you added to the finding.",
}
_SHORT: Final = {
    "account_ids": "--account",
    "control_ids": "--control",
    "regions": "--finding-region",
    "resource_tags": "--resource-tag",
    "standards": "--standard",
    "types": "--type",
    "user_defined_fields": "--user-defined-field",
}
"""The singular of fields that are named in the plural. `--region` is the Region of the account."""
_DEFAULTS: Final = {"workflow_status": "NEW", "record_state": "ACTIVE"}
_RANGE: Final = re.compile(r"(?P<low>\d+)\.\.(?P<high>\d+)")


def with_finding_filter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each field of FindingFilter, and the argument `wanted`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        given = {name: kwargs.pop(name) for name in (*FindingFilter.fields, *_KEYED)}
        return command(*args, wanted=filter_of(given), **kwargs)

    for name in reversed(_KEYED):
        option = click.option(
            _long(name), _SHORT[name], name, multiple=True, metavar="KEY=VALUE", help=_KEYED[name]
        )
        wrapped = option(wrapped)
    for name, field in reversed([*FindingFilter.fields.items()]):
        names = [_long(name), *([_SHORT[name]] if name in _SHORT else [])]
        wrapped = click.option(*names, name, multiple=True, metavar=_metavar(field), help=_help(name, field))(
            wrapped
        )
    return wrapped


def filter_of(given: Mapping[str, Sequence[str]]) -> FindingFilter:
    """Return the filter with values as they're given: several of one field are alternatives.

    Raises:
        click.UsageError: A field doesn't accept a value.
    """
    try:
        return FindingFilter(**{name: _values(name, texts) for name, texts in given.items() if texts})
    except (ValueError, InvalidPatternError) as error:
        raise click.UsageError(f"{error}. The options are the fields of FindingFilter.") from error


def _values(name: str, texts: Sequence[str]) -> Any:  # noqa: ANN401 - what the field accepts
    if name in _KEYED:
        return _by_key(name, texts)
    if _ANY in (text.upper() for text in texts):
        return None
    return [_value(FindingFilter.fields[name], text) for text in texts]


def _long(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _metavar(field: Field) -> str:
    if field.labels:
        return "LABEL"
    return "NUMBER|FROM..TO" if field.numbers else "TEXT"


def _help(name: str, field: Field) -> str:
    allowed = f"{', '.join(field.labels)}." if field.labels else f"{field.path}."
    default = f" {_ANY} for all.  [default: {_DEFAULTS[name]}]" if name in _DEFAULTS else ""
    return f"{allowed}{default}"


def _value(field: Field, text: str) -> Condition | str | int:
    if field.labels:
        return text.upper()
    if not field.numbers:
        return _condition(text)
    if match := _RANGE.fullmatch(text):
        return Numeric(">=", int(match["low"]), "<=", int(match["high"]))
    return int(text) if text.isdecimal() else text


def _condition(text: str) -> Condition | str:
    """An asterisk stands for any characters."""
    before, asterisk, after = text.partition("*")
    if not asterisk or not before + after:
        return text
    return Wildcard(text) if after else Prefix(before)


def _by_key(name: str, texts: Sequence[str]) -> dict[str, list[Condition | str]]:
    table: dict[str, list[Condition | str]] = {}
    for key, value in _pairs(name, texts):
        table.setdefault(key, []).append(_condition(value))
    return table


def _pairs(name: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key and value):
            raise click.UsageError(
                f"{text!r} is not a KEY=VALUE. {_SHORT[name]} needs one, such as team=payments."
            )
        yield key, value
