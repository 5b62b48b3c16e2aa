"""Which accounts and resources may be changed. Pure: other modules look up organizational units and tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from securityhub.events import Finding

ANY: Final = "ANY"
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_Parent.html
_UNIT: Final = re.compile(r"ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLists:
    """The accounts in which something may be changed. Others aren't changed.

    Attributes:
        allow: Account IDs, IDs of organizational units or of the root, which stand for every account anywhere
            below, or `ANY`.
        deny: The same. It takes precedence.

    Raises:
        ValueError: An entry is none of these.
    """

    allow: frozenset[str]
    deny: frozenset[str]

    def __post_init__(self) -> None:
        for entry in sorted(self.allow | self.deny):
            if entry != ANY and not _ACCOUNT.fullmatch(entry) and not _UNIT.fullmatch(entry):
                raise ValueError(
                    f"{entry!r} is no 12-digit account ID, no ID of an organizational unit, such as "
                    f"ou-abcd-12345678, or of the root, such as r-abcd, and not {ANY}"
                )

    def refusal(self, account: str, containers_of: Callable[[str], Collection[str]]) -> str | None:
        """Return why nothing may be changed in an account, or None if it may.

        Args:
            account: Its ID.
            containers_of: Finds the units above an account and the root. Only called where they matter; what
                it raises passes.
        """
        if self.deny & {ANY, account}:
            return f"Account {account} is on the deny list"
        is_allowed = bool(self.allow & {ANY, account})
        units_decide = _name_units(self.deny if is_allowed else self.allow)
        containers = frozenset(containers_of(account)) if units_decide else frozenset()
        if denied := sorted(self.deny & containers):
            return f"Account {account} is in {denied[0]}, which is on the deny list"
        if is_allowed or self.allow & containers:
            return None
        return f"Account {account} is not on the allow list" + (
            ", nor is a unit above it" if units_decide else ""
        )


class UnreadableTagsError(Exception):
    """There is no way to find out whether a resource has tags. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLists:
    """The resources that may be changed, by their tags. Keys and values are case-sensitive, as in AWS.

    Attributes:
        allow: Values by tag key, or `ANY`; with any entry, only a resource that carries one of these tags may
            be changed.
        deny: The same for the resources that may not be changed. It takes precedence.
    """

    allow: Mapping[str, frozenset[str]]
    deny: Mapping[str, frozenset[str]]

    @property
    def decide(self) -> bool:
        """Whether tags are checked at all."""
        return bool(self.allow or self.deny)

    def refusal(
        self, resource: str, tags: Mapping[str, str], *, reported: Mapping[str, str], undoes: bool
    ) -> str | None:
        """Return why a resource may not be changed, or None if it may.

        Args:
            resource: Its ARN or ID.
            tags: Its tags now.
            reported: Its tags in the finding. They can be old, so they deny but do not allow.
            undoes: Whether a remediation is being undone: what was changed can be restored unless denied.
        """
        for key, value in (*tags.items(), *reported.items()):
            if _lists(self.deny, key, value):
                return f"{resource} carries the tag {key}={value}, which is on the deny list"
        if undoes or not self.allow or any(_lists(self.allow, *tag) for tag in tags.items()):
            return None
        return f"{resource} carries no tag of the allow list"


def reported_tags(resource: str, finding: Finding) -> dict[str, str]:
    """Return the tags of a resource that its finding contains. They are as old as the finding."""
    reported: dict[str, str] = {}
    resources = finding.raw.get("Resources")
    for one in resources if isinstance(resources, list) else []:
        if isinstance(one, Mapping) and one.get("Id") == resource and isinstance(one.get("Tags"), Mapping):
            reported |= {str(key): str(value) for key, value in one["Tags"].items()}
    return reported


def _name_units(entries: Collection[str]) -> bool:
    return any(_UNIT.fullmatch(entry) for entry in entries)


def _lists(tags: Mapping[str, frozenset[str]], key: str, value: str) -> bool:
    return bool(tags.get(key, frozenset()) & {ANY, value})
