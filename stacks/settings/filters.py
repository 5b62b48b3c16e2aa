"""Filters for findings as tables in settings.toml, with the fields of `FindingFilter`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
)

from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns import Condition, InvalidPatternError
from securityhub_actions.patterns.syntax import parse_conditions
from stacks.settings.forms import ANY, TableFaultsError, listed

_FILTER_FIELDS: Final = tuple(field.name for field in dataclasses.fields(FindingFilter))


_TABLES: Final = {"resource_tags": "tag keys", "user_defined_fields": "keys"}
_AWS_PRODUCTS: Final = "arn:*:securityhub:*::product/aws/*"
_NAME: Final = "product_name"
_NAME_ALONE: Final = (
    "any account can import findings of a product of its own under any name; set product_arn as well, such "
    f"as {{ wildcard = '{_AWS_PRODUCTS}' }} for the products of AWS, or '{ANY}' if any account may"
)


def _to_filter(table: object) -> FindingFilter:
    """Create a filter from a table. `"ANY"` matches any value, and a table is an EventBridge condition."""
    if not isinstance(table, Mapping):
        raise ValueError("not a table")  # noqa: TRY004 - for pydantic
    values: dict[str, Any] = {}
    faults: list[tuple[str, object, str]] = []
    for name, written in table.items():
        try:
            values[name] = _to_field(name, written)
            FindingFilter(**{name: values[name]})  # one by one, to find all errors
        except ValueError as error:
            faults.append((name, written, _reason(error)))
    if faults:
        raise TableFaultsError(faults)
    wanted = FindingFilter(**values)
    if reason := wanted.unreachable_reason():
        raise ValueError(f"no finding can ever match it, because {reason}")
    return wanted


def _reason(error: ValueError) -> str:
    return error.reason if isinstance(error, InvalidPatternError) else str(error)


def _to_field(name: str, written: object) -> object:
    if name not in _FILTER_FIELDS:
        raise ValueError(f"there is no such field; the fields of FindingFilter are {listed(_FILTER_FIELDS)}")
    if name not in _TABLES:
        return None if written == ANY else _to_values(written)
    if written == ANY:
        return {}
    if not isinstance(written, Mapping):
        allowed = f'specify a table of {_TABLES[name]} and their values, such as {{ team = "payments" }}'
        raise ValueError(allowed)  # noqa: TRY004 - for pydantic
    return {key: _to_values(values) for key, values in written.items()}


def _to_values(written: object) -> list[object]:
    items = written if isinstance(written, list) else [written]
    return [parse_conditions([item], "")[0] if isinstance(item, Mapping) else item for item in items]


def as_written(value: object) -> object:
    """Return a value of a filter as it is written in the file, or nearly so."""
    if isinstance(value, Condition):
        return value.to_json()
    if isinstance(value, Mapping):
        return {name: as_written(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        written = [as_written(one) for one in value]
        return written[0] if len(written) == 1 else written
    return value


def _with_defaults(table: object, **defaults: object) -> object:
    """Add the defaults of the fields that a table doesn't have."""
    return {**defaults, **table} if isinstance(table, Mapping) else table


def _of_aws_products(table: object) -> object:
    """Let only findings of AWS's own products pass, unless the table names products.

    Every account can import findings of a product of its own, with any severity, any text, and any name of
    the product. The ARN of such a product contains the account ID.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-custom-providers.html
    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html (ProductName)
    """
    if isinstance(table, Mapping) and table.get(_NAME, ANY) != ANY and "product_arn" not in table:
        raise TableFaultsError([(_NAME, table[_NAME], _NAME_ALONE)])
    return _with_defaults(table, product_arn={"wildcard": _AWS_PRODUCTS})


def _of_failures(table: object) -> object:
    """Let only failures pass, unless the table names compliance statuses; what checks nothing has none.

    Security Hub sets the status of a control that it can't evaluate to NOT_AVAILABLE or WARNING.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/controls-overall-status.html
    """
    return _with_defaults(table, compliance_status=["FAILED", {"exists": False}])


# Of several, the last is applied first.
Filter = Annotated[FindingFilter, BeforeValidator(_to_filter)]
AutomaticFilter = Annotated[FindingFilter, BeforeValidator(_to_filter), BeforeValidator(_of_aws_products)]
FailuresFilter = Annotated[AutomaticFilter, BeforeValidator(_of_failures)]


FILTER_DESCRIPTION: Final = (
    f"a table with the findings to match, with any of {listed(_FILTER_FIELDS)}; each is a value, a list of "
    f"values, an EventBridge condition such as {{ prefix = 'arn:' }}, or '{ANY}'"
)
