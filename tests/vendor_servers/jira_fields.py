"""Fields of issues in Jira: what createmeta and transitions say about them, and what Jira refuses.

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-issuetypeid-get
Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-get
Source: https://developer.atlassian.com/server/jira-servicedesk/info/field-input-formats
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SINGLE = {"option": "value", "priority": "name", "resolution": "name", "issuelink": "key"}
_ITEMS = {"option": "value", "component": "name", "version": "name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field on a screen.

    Attributes:
        name: what people see.
        type: the schema's type; `array` with its items.
        required: whether Jira refuses what lacks it.
        allowed: the values or names that exist; any if there is no such list.
    """

    name: str
    type: str = "string"
    items: str | None = None
    required: bool = False
    allowed: Sequence[str] | None = None

    def meta(self, field_id: str) -> dict[str, Any]:
        """What Jira says about the field."""
        schema = {"type": self.type, **({"items": self.items} if self.items else {})}
        values = [{_SINGLE.get(self.type) or _ITEMS[self.items]: one} for one in self.allowed or ()]
        return {
            "fieldId": field_id,
            "key": field_id,
            "name": self.name,
            "required": self.required,
            "hasDefaultValue": False,
            "operations": ["add"] if field_id == "comment" else ["set"],
            "schema": schema,
            **({"allowedValues": values} if values else {}),
        }

    def problem(self, value: Any, *, cloud: bool, users: Sequence[str]) -> str | None:
        """Why Jira doesn't take a value, if it doesn't."""
        if self.type == "array":
            if not isinstance(value, list):
                return "data was not an array"
            return next(
                filter(None, (self._problem_of(self.items, one, cloud, users) for one in value)), None
            )
        return self._problem_of(self.type, value, cloud, users)

    def _problem_of(self, type_: str, value: Any, cloud: bool, users: Sequence[str]) -> str | None:
        member = _SINGLE.get(type_) or _ITEMS.get(type_)
        if member:
            if not isinstance(value, dict) or not isinstance(value.get(member) or value.get("id"), str):
                return f"Specify a valid 'id' or '{member}' for {self.name}"
            given = value.get(member)
            unknown = given is not None and self.allowed is not None and given not in self.allowed
            return f"Option value '{given}' is not valid" if unknown else None
        if type_ == "user":
            given = value.get("accountId" if cloud else "name") if isinstance(value, dict) else None
            return None if given in users else f"User '{given}' does not exist."
        fits = {
            "string": lambda: isinstance(value, str) and len(value) <= 255 and "\n" not in value,
            "number": lambda: isinstance(value, int | float) and not isinstance(value, bool),
            "date": lambda: re.fullmatch(r"\d{4}-\d\d-\d\d", value),
            "datetime": lambda: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", value),
            "text": lambda: value["type"] == "doc" if cloud else isinstance(value, str),
        }[type_]
        try:
            return None if fits() else f"Operation value must be a {type_}"
        except (TypeError, KeyError):
            return f"Operation value must be a {type_}"


def problems(
    given: dict[str, Any], screen: dict[str, Field], *, cloud: bool, users: Sequence[str]
) -> dict[str, str]:
    """What Jira says about the fields of a request, by their ids."""
    found = {
        name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
        for name in given.keys() - screen.keys()
    }
    for name, field in screen.items():
        if name not in given or given[name] in (None, [], ""):
            if field.required:
                found[name] = f"{field.name} is required."
        elif problem := field.problem(given[name], cloud=cloud, users=users):
            found[name] = problem
    return found
