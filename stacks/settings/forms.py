"""Formats and types that several tables in settings.toml share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
)

ANY: Final = "ANY"


UNIT: Final = r"(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})"


ROLE_NAME: Final = r"^[A-Za-z0-9_+=,.@-]{1,64}$"


STORED_NAME: Final = r"^[A-Za-z0-9/_+=.@-]{1,512}$"


HTTPS_URL: Final = r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$"


URL_DESCRIPTION: Final = (
    "the base URL of the API, which begins with https://, such as '{}', without a user name, query string, "
    "or fragment"
)


ROTATION_DESCRIPTION: Final = (
    "true or false, whether the Slack app has token rotation; then the secret also contains client_id, "
    "client_secret, and refresh_token, and a stack of its own renews its tokens"
)


# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
ResourceTags = dict[
    Annotated[str, Field(min_length=1, max_length=128)],
    Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1)],
]


AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


AccountOrUnit = Annotated[str, Field(pattern=rf"^([0-9]{{12}}|{UNIT}|{ANY})$")]


class TableFaultsError(ValueError):
    """All errors in a table whose keys aren't settings themselves, such as a filter.

    Attributes:
        faults: The key, the value, and the reason for each error.
    """

    def __init__(self, faults: Sequence[tuple[str, object, str]]) -> None:
        super().__init__("the table has errors")
        self.faults = faults


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence: `a`, `a and b`, or `a, b, and c`."""
    if len(names) <= 2:  # noqa: PLR2004 - only three take a comma
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"


def distinct(values: list[str]) -> list[str]:
    """Reject a list with duplicate values."""
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"duplicate values are not allowed; {twice!r} is listed more than once")
    return values


Emails = Annotated[
    list[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]], AfterValidator(distinct)
]


EMAILS_DESCRIPTION: Final = (
    'a list of email addresses, such as ["soc@example.com"], or [] for none; each is subscribed to the topic '
    "and receives an email to confirm the subscription"
)


class Section(BaseModel):
    """A table in settings.toml. It allows only the keys that it declares, each with exactly its type."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)
