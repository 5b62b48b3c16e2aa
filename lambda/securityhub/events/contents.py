"""What findings say beyond the attributes that identify them and decide what is done about them.

`asff_contents` and `ocsf_contents` read it from a finding as it was received. They raise no errors: what
isn't as documented is as good as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

Raw = Mapping[str, object]
"""A finding, or a resource in it, as it was received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The note of a finding in ASFF, or its comment in OCSF, which has neither an author nor a time.

    Attributes:
        text: The text.
        updated_by: Who wrote it; None if the finding doesn't say.
        updated_at: When, in ISO 8601 format; None if the finding doesn't say.
    """

    text: str
    updated_by: str | None = None
    updated_at: str | None = None

    def is_later_than(self, moment: str) -> bool:
        """Whether it was surely written after a moment in ISO 8601 format."""
        try:
            return datetime.fromisoformat(str(self.updated_at)) > datetime.fromisoformat(moment)
        except (ValueError, TypeError):  # no time, or one without a time zone
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class VulnerablePackage:
    """A vulnerability, and a package that has it. None for what the finding doesn't say.

    Attributes:
        vulnerability: The ID of the vulnerability, such as `CVE-2024-3094`.
        name: The name of the package.
        version: The installed version.
        path: The path of the file that contains the package.
        fixed_in: The version in which it's fixed.
    """

    vulnerability: object = None
    name: object = None
    version: object = None
    path: object = None
    fixed_in: object = None


class Contents(Protocol):
    """What the modules for the two formats have in common."""

    def control(self, raw: Raw, /) -> str | None:
        """Return the ID of the security control."""

    def control_parameters(self, raw: Raw, /) -> object:
        """Return the parameters of the control, as ASFF has them."""

    def account_name(self, raw: Raw, /) -> str | None:
        """Return the name of the finding's account."""

    def created_at(self, raw: Raw, /) -> datetime | None:
        """Return when the provider created the finding, with its time zone."""

    def description(self, raw: Raw, /) -> str | None:
        """Return the description."""

    def first_type(self, raw: Raw, /) -> str | None:
        """Return the first of the finding types."""

    def recommendation(self, raw: Raw, /) -> tuple[str | None, str | None]:
        """Return what to do, and a link to instructions."""

    def note(self, raw: Raw, /) -> Note | None:
        """Return the note."""

    def user_defined_fields(self, raw: Raw, /) -> dict[str, str]:
        """Return the user-defined fields."""

    def vulnerable_packages(self, raw: Raw, /) -> list[VulnerablePackage]:
        """Return the vulnerabilities, each with one of its packages."""

    def resources(self, raw: Raw, ids: Sequence[str], /) -> list[tuple[str, Raw]]:
        """Return the resources with their IDs, given the IDs that were read from the finding."""

    def tags(self, resource: Raw, /) -> dict[str, str]:
        """Return the tags of a resource."""

    def details(self, resource: Raw, type_: str | None, /) -> Raw:
        """Return the details of a resource of a type, as ASFF has them."""


def as_mapping(value: object) -> Mapping[str, object]:
    """Return an object as it is, and an empty one for everything else."""
    return value if isinstance(value, Mapping) else {}


def mappings_in(value: object) -> list[Mapping[str, object]]:
    """Return the objects in an array; none for everything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def text_or_none(value: object) -> str | None:
    """Return a text as it is, and None for everything else."""
    return value if isinstance(value, str) else None


def moment_or_none(value: object) -> datetime | None:
    """Return a time in ISO 8601 format that has a time zone, and None for everything else.

    In UTC, some times of the first and the last year are out of range.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            return None
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment


def first_text_in(value: object) -> str | None:
    """Return the first item of an array if it's a text."""
    return text_or_none(value[0]) if isinstance(value, list | tuple) and value else None
