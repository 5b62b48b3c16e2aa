"""Tables with extra fields of tickets in settings.toml: constants, or values of the finding."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from stacks.settings.finding_paths import asff_path, has_several, ocsf_path
from stacks.settings.forms import TableFaultsError, listed

_MAX_FIELDS: Final = 100
_MAX_TEXT: Final = 1_000
_MEMBERS: Final = ("type", "value", "asff", "ocsf", "values", "default", "table", "column")
_REFERENCE: Final = ("table", "column")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRules:
    """What a tracker's fields can be.

    Attributes:
        name: The tracker.
        form: A regular expression for the names of fields.
        example: What such a name is, with an example.
        reserved: Fields that the function fills, and what to use instead, if anything.
        types: The types.
        lists: Those with several values.
        choosing: Those whose values choose among what the tracker has.
        inferred: The types of fields that need not say theirs. Others are strings.
        references: The table and the column by which a reference is looked up, by field.
    """

    name: str
    form: str
    example: str
    reserved: Mapping[str, str]
    types: tuple[str, ...]
    lists: frozenset[str] = frozenset()
    choosing: frozenset[str] = frozenset()
    inferred: Mapping[str, str]
    references: Mapping[str, tuple[str, str]]


# Source: https://developer.atlassian.com/server/jira-servicedesk/info/field-input-formats
JIRA: Final = FieldRules(
    name="Jira",
    form=r"[A-Za-z][A-Za-z0-9_]{0,99}",
    example="the ID of a field, such as 'components' or 'customfield_10010'",
    reserved={
        "project": "use project",
        "issuetype": "use issue_type",
        "summary": "it's the title of the finding",
        "description": "it describes the finding",
        "comment": "it says why the issue is resolved",
    },
    types=(
        "string",
        "text",
        "number",
        "date",
        "datetime",
        "option",
        "options",
        "cascade",
        "name",
        "names",
        "id",
        "ids",
        "key",
        "user",
        "users",
        "strings",
        "labels",
    ),
    lists=frozenset({"options", "cascade", "names", "ids", "users", "strings", "labels"}),
    choosing=frozenset(
        {"option", "options", "cascade", "name", "names", "id", "ids", "key", "user", "users"}
    ),
    inferred={
        "assignee": "user",
        "components": "names",
        "duedate": "date",
        "environment": "text",
        "fixVersions": "names",
        "labels": "labels",
        "parent": "key",
        "priority": "name",
        "reporter": "user",
        "resolution": "name",
        "security": "name",
        "versions": "names",
    },
    references={},
)

# Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
SERVICE_NOW: Final = FieldRules(
    name="ServiceNow",
    form=r"[a-z][a-z0-9_]{0,79}",
    example="the name of a column of the incident table, such as 'caller_id'",
    reserved={
        "close_code": "use close_code of [ticketing.service_now]",
        "correlation_display": "it names Security Hub",
        "correlation_id": "by it, the function finds its incidents",
        "description": "it describes the finding",
        "short_description": "it's the title of the finding",
        "state": "use steps",
        "sys_id": "ServiceNow sets it",
    },
    types=("string", "number", "boolean", "date", "datetime", "reference"),
    choosing=frozenset({"reference"}),
    inferred=dict.fromkeys(
        (
            "assigned_to",
            "assignment_group",
            "business_service",
            "caller_id",
            "cmdb_ci",
            "company",
            "location",
            "opened_by",
            "service_offering",
        ),
        "reference",
    ),
    references={
        "assigned_to": ("sys_user", "user_name"),
        "assignment_group": ("sys_user_group", "name"),
        "business_service": ("cmdb_ci_service", "name"),
        "caller_id": ("sys_user", "user_name"),
        "cmdb_ci": ("cmdb_ci", "name"),
        "company": ("core_company", "name"),
        "location": ("cmn_location", "name"),
        "opened_by": ("sys_user", "user_name"),
        "service_offering": ("service_offering", "name"),
    },
)

# Source: https://developer.pagerduty.com/api-reference/a7d81b0e9200f-create-an-incident
PAGER_DUTY: Final = FieldRules(
    name="PagerDuty",
    form=r"priority|escalation_policy",
    example="'priority' or 'escalation_policy', whose values are IDs",
    reserved={},
    types=("id",),
    choosing=frozenset({"id"}),
    inferred={"priority": "id", "escalation_policy": "id"},
    references={},
)

SLACK: Final = FieldRules(
    name="Slack",
    form=r"[^\s:*_~`<>&][^:*_~`<>&\n]{0,59}",
    example="what stands before the colon of a line, such as 'Team'",
    reserved={},
    types=("string", "strings"),
    lists=frozenset({"strings"}),
    inferred={},
    references={},
)

TEAMS: Final = replace(SLACK, name="Microsoft Teams")

Fields = dict[str, dict[str, Any]]
"""Fields as the function reads them, by their names. See lambda/functions/tickets/trackers/fields.py."""

FIELDS_DESCRIPTION: Final = (
    "a table of fields; each is a constant, or a table with type, and with value, or with asff and ocsf "
    "(paths in the finding), values (the field's value for each of the finding's), and default, as "
    "docs/tickets.md describes; or {} for none"
)


def fields_of(rules: FieldRules) -> Callable[[object], object]:
    """Return a validator for a table of a tracker's fields, which reports all errors."""

    def checked(table: object) -> object:
        if not isinstance(table, Mapping):
            raise ValueError("not a table")  # noqa: TRY004 - for pydantic
        if len(table) > _MAX_FIELDS:
            raise ValueError(f"there are {len(table)} fields, but {_MAX_FIELDS} at most are allowed")
        fields: Fields = {}
        faults: list[tuple[str, object, str]] = []
        for name, written in table.items():
            try:
                fields[name] = _field(rules, name, written)
            except ValueError as error:
                faults.append((name, written, str(error)))
        if faults:
            raise TableFaultsError(faults)
        return fields

    return checked


JiraFields = Annotated[Fields, BeforeValidator(fields_of(JIRA))]
ServiceNowFields = Annotated[Fields, BeforeValidator(fields_of(SERVICE_NOW))]
PagerDutyFields = Annotated[Fields, BeforeValidator(fields_of(PAGER_DUTY))]
SlackFields = Annotated[Fields, BeforeValidator(fields_of(SLACK))]
TeamsFields = Annotated[Fields, BeforeValidator(fields_of(TEAMS))]


def _field(rules: FieldRules, name: str, written: object) -> dict[str, Any]:
    """Return a field as the function reads it.

    Raises:
        ValueError: It isn't valid. The message says why.
    """
    if name in rules.reserved:
        raise ValueError(f"the function fills this field; {rules.reserved[name]}")
    if not re.fullmatch(rules.form, name):
        raise ValueError(f"a field of {rules.name} is {rules.example}")
    given = dict(written) if isinstance(written, Mapping) else {"value": written}
    if unknown := given.keys() - {*_MEMBERS}:
        raise ValueError(f"{listed(sorted(unknown))} is not allowed; a field has {listed(_MEMBERS)}")
    type_ = given.pop("type", rules.inferred.get(name, "string"))
    if type_ not in rules.types:
        raise ValueError(f"type is {type_!r}; allowed for {rules.name} are {listed(rules.types)}")
    if ("value" in given) == bool({"asff", "ocsf"} & given.keys()):
        raise ValueError("specify either value, or asff, ocsf, or both")
    is_list = type_ in rules.lists
    if "value" in given:
        if extra := sorted(given.keys() - {"value", *_REFERENCE}):
            raise ValueError(f"{listed(extra)} has no meaning beside value")
        found = {"value": _constant(given["value"], type_, is_list=is_list)}
    else:
        found = _of_finding(rules, given, type_, is_list=is_list)
    return {"type": type_, **found, **_reference(rules, name, given, type_)}


def _of_finding(rules: FieldRules, given: Mapping[str, Any], type_: str, *, is_list: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member, parse in (("asff", asff_path), ("ocsf", ocsf_path)):
        if member in given:
            if not isinstance(given[member], str):
                raise ValueError(f"{member} is not a path, which is a text")
            found[member] = parse(given[member])
            if has_several(found[member]) and not is_list:
                raise ValueError(
                    f"{member} leads to several values, but a field of the type {type_} has one; specify "
                    "[0] instead of [*]"
                )
    if "values" in given:
        found["values"] = _values(given["values"], type_)
    elif type_ in rules.choosing:
        raise ValueError(
            f"a finding may choose a value of the type {type_} only among values of settings.toml; specify "
            "values, such as { CRITICAL = 'Highest' }"
        )
    if "default" in given:
        found["default"] = _constant(given["default"], type_, is_list=is_list)
    return found


def _values(given: object, type_: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or not given:
        raise ValueError("values is not a table of the finding's values and the field's")
    return {str(key): str(_constant(value, type_, is_list=False)) for key, value in given.items()}


def _reference(rules: FieldRules, name: str, given: Mapping[str, Any], type_: str) -> dict[str, str]:
    """Return the table and the column by which a reference is looked up."""
    if type_ != "reference":
        if extra := sorted({*_REFERENCE} & given.keys()):
            raise ValueError(f"{listed(extra)} is only for the type reference")
        return {}
    table, column = rules.references.get(name, (None, "name"))
    found = {"table": given.get("table", table), "column": given.get("column", column)}
    for member, value in found.items():
        if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,79}", value):
            raise ValueError(f"{member} is {value!r}; specify the name of the {member} that it refers to")
    return found


def _constant(value: object, type_: str, *, is_list: bool) -> object:
    """Return a constant, checked against the type."""
    if is_list:
        items = value if isinstance(value, list) else [value]
        if not items:
            raise ValueError("a list without items is no value; leave the field out")
        if type_ == "cascade" and len(items) > 2:  # noqa: PLR2004 - what cascading means
            raise ValueError("cascade has a parent option and one below it, no more")
        return [_scalar(item, type_) for item in items]
    return _scalar(value, type_)


def _scalar(value: object, type_: str) -> object:
    if isinstance(value, date) and type_ in ("date", "datetime"):  # TOML has dates
        return value.isoformat()
    if type_ == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is not a number")
        return value
    if type_ == "boolean" and isinstance(value, bool):
        return value
    if type_ == "boolean" or not isinstance(value, str) or not value.strip():
        wanted = "true or false" if type_ == "boolean" else "a text that is not blank"
        raise ValueError(f"{value!r} is not {wanted}")
    if len(value) > _MAX_TEXT:
        raise ValueError(f"the text has {len(value)} characters, but {_MAX_TEXT} at most are allowed")
    if type_ in ("date", "datetime"):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a {type_} such as 2026-01-31") from None
    if type_ == "labels" and re.search(r"\s", value):
        raise ValueError(f"{value!r} is not a label, because it has spaces")
    return value
