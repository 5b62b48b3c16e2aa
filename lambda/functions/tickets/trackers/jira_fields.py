"""The extra fields of issues, in the form that Jira wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from functions.tickets.trackers.fields import FieldValue, Scalar, moment_of, number_of, text_of
from functions.tickets.trackers.jira_site import KEY_LABEL, Site
from securityhub.events import Finding

_OWN: Final = frozenset({"summary", "description", "labels"})
_SPACES: Final = re.compile(r"\s+")

_Shape = Callable[[Site, Sequence[Scalar]], Any]

# Source: https://developer.atlassian.com/server/jira-servicedesk/info/field-input-formats
# Source: https://developer.atlassian.com/server/jira/platform/jira-rest-api-examples/
# Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
_SHAPES: Final[Mapping[str, _Shape]] = {
    "string": lambda _, values: text_of(values[0]),
    "text": lambda site, values: site.text(text_of(values[0])),
    "number": lambda _, values: number_of(values[0]),
    "date": lambda _, values: _date(values[0]),
    "datetime": lambda _, values: _datetime(values[0]),
    "option": lambda _, values: {"value": text_of(values[0])},
    "options": lambda _, values: [{"value": text_of(one)} for one in values],
    "cascade": lambda _, values: _cascade([text_of(one) for one in values]),
    "name": lambda _, values: {"name": text_of(values[0])},
    "names": lambda _, values: [{"name": text_of(one)} for one in values],
    "id": lambda _, values: {"id": text_of(values[0])},
    "ids": lambda _, values: [{"id": text_of(one)} for one in values],
    "key": lambda _, values: {"key": text_of(values[0])},
    "user": lambda site, values: site.user(text_of(values[0])),
    "users": lambda site, values: [site.user(text_of(one)) for one in values],
    "strings": lambda _, values: [text_of(one) for one in values],
    "labels": lambda _, values: labels_of(values),
}


def given(fields: Mapping[str, FieldValue], finding: Finding | None) -> dict[str, Sequence[Scalar]]:
    """Return the fields that have a value for a finding, and those values."""
    found = {name: field.of(finding) for name, field in fields.items()}
    return {name: values for name, values in found.items() if values}


def shaped(
    fields: Mapping[str, FieldValue], values: Mapping[str, Sequence[Scalar]], site: Site
) -> dict[str, Any]:
    """Return values of fields as Jira wants them."""
    shapes = {name: _SHAPES[fields[name].type](site, of_field) for name, of_field in values.items()}
    return {name: shape for name, shape in shapes.items() if shape is not None and shape != []}


def labels_of(values: Sequence[Scalar]) -> list[str]:
    """Return labels, in which Jira allows no spaces, without those that look like a ticket's key.

    Another finding must not be able to claim an issue.
    """
    labels = (_SPACES.sub("_", text_of(one).strip()) for one in values)
    return [label for label in dict.fromkeys(labels) if label and not KEY_LABEL.search(label)]


def cure_of(
    refused: Mapping[str, str], *, known: Mapping[str, FieldValue], key: str, names: Mapping[str, str]
) -> str:
    """Return what to do about the fields that Jira refused.

    Args:
        refused: What Jira says about each field, by its ID.
        known: The fields in settings.toml.
        key: The key in settings.toml under which others are added.
        names: The display names of fields, as far as they are known.
    """
    advice = []
    for field in refused:
        name = f"{names[field]} ({field})" if names.get(field, field) != field else field
        if field in _OWN:
            advice.append(
                f"Jira refuses the field {name}, which every ticket has: add it to the project's screens."
            )
        elif field in known:
            advice.append(f"Jira refuses the field {name}: {known[field].cure}")
        else:
            advice.append(f"Jira wants the field {name}: specify {key}.{field} in settings.toml.")
    return " ".join(advice)


def _date(value: Scalar) -> str | None:
    moment = moment_of(value)
    return moment.date().isoformat() if moment else None


def _datetime(value: Scalar) -> str | None:
    moment = moment_of(value)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000") if moment else None


def _cascade(values: Sequence[str]) -> dict[str, Any]:
    parent: dict[str, Any] = {"value": values[0]}
    return {**parent, "child": {"value": values[1]}} if len(values) > 1 else parent
