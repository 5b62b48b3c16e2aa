"""The extra columns of incidents, in the form that ServiceNow wants, and what it says about columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from functions.tickets.trackers.fields import FieldValue, Scalar, moment_of, text_of

_SYS_ID: Final = re.compile(r"[0-9a-f]{32}")
# A data policy that demands one column says `Short description is mandatory`.
# Source: https://www.servicenow.com/docs/r/api-reference/server-api-reference/c_GlideRecordScopedAPI.html
_MANDATORY: Final = (
    re.compile(r"mandatory:\s*(?P<labels>.+)", re.IGNORECASE | re.DOTALL),
    re.compile(r"exception:\s*(?P<labels>[^:]+?)\s+(is|are) mandatory", re.IGNORECASE),
)
# ServiceNow names columns by their labels. These are the ones of incidents as they are shipped. An instance
# can rename them; a label that isn't here is reported as it is.
# Source: https://www.servicenow.com/docs/r/it-service-management/incident-management/resolve-and-close-an-incident.html
_COLUMNS: Final[Mapping[str, str]] = {
    "assigned to": "assigned_to",
    "assignment group": "assignment_group",
    "business impact": "business_impact",
    "caller": "caller_id",
    "category": "category",
    "channel": "contact_type",
    "close code": "close_code",
    "close notes": "close_notes",
    "company": "company",
    "configuration item": "cmdb_ci",
    "contact type": "contact_type",
    "impact": "impact",
    "location": "location",
    "probable cause": "cause",
    "resolution code": "close_code",
    "resolution notes": "close_notes",
    "service": "business_service",
    "service offering": "service_offering",
    "subcategory": "subcategory",
    "urgency": "urgency",
}


def is_sys_id(value: Scalar) -> bool:
    """Return whether a value is the ID of a record."""
    return isinstance(value, str) and bool(_SYS_ID.fullmatch(value))


def written(field: FieldValue, value: Scalar) -> str | None:
    """Return a value as the Table API takes it, or None for a value that isn't of the type.

    Without `sysparm_input_display_value`, it takes values as the database has them, and times in UTC.

    Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB0534905
    """
    if field.type not in ("date", "datetime"):
        return text_of(value)
    moment = moment_of(value)
    form = "%Y-%m-%d" if field.type == "date" else "%Y-%m-%d %H:%M:%S"
    return moment.strftime(form) if moment else None


def cure_of(said: str, *, key: str, known: Mapping[str, FieldValue]) -> str | None:
    """Return what to do about the columns that ServiceNow calls mandatory, or None if it names none.

    Args:
        said: What ServiceNow says.
        key: The key in settings.toml under which columns are added.
        known: The columns in settings.toml.
    """
    found = next(filter(None, (form.search(said) for form in _MANDATORY)), None)
    return " ".join(_advice(found["labels"], key, known)) if found else None


def _advice(labels: str, key: str, known: Mapping[str, FieldValue]) -> Iterator[str]:
    for label in filter(None, (part.strip(" .\n") for part in labels.split(","))):
        column = _COLUMNS.get(label.casefold())
        if column == "close_notes" and column not in known:
            continue  # which are always given
        if column == "close_code":
            yield "ServiceNow wants close_code: specify ticketing.service_now.close_code in settings.toml."
        elif column is not None and column in known:
            yield f"ServiceNow wants {label} ({column}): {known[column].cure}"
        elif column:
            yield f"ServiceNow wants {label} ({column}): specify {key}.{column} in settings.toml."
        else:
            yield f"ServiceNow wants {label!r}: specify the column of that label in {key} of settings.toml."
