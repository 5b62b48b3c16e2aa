"""Decides which accounts and resources may be changed.

The decisions use no AWS API. Other modules look up organizational units and tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

ANY: Final = "ANY"
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_Parent.html
_UNIT: Final = re.compile(r"ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLists:
    """The accounts in which resources may be changed.

    Attributes:
        allow: Account IDs, IDs of organizational units or of the root, which stand for every account anywhere
            below, or `ANY`.
        deny: The same for accounts in which nothing may be changed. Takes precedence over `allow`.

    Raises:
        ValueError: An entry is none of these.
    """

    allow: frozenset[str]
    deny: frozenset[str]

    def __post_init__(self) -> None:
        for entry in sorted(self.allow | self.deny):
            if entry != ANY and not _ACCOUNT.fullmatch(entry) and not _UNIT.fullmatch(entry):
                raise ValueError(
                    f"{entry!r} is not a 12-digit account ID, the ID of an organizational unit (such as "
                    f"ou-abcd-12345678) or of the root (such as r-abcd), or {ANY}"
                )

    def refusal(self, account: str, containers_of: Callable[[str], Collection[str]]) -> str | None:
        """Return why nothing may be changed in an account, or None if it may.

        Args:
            account: The ID of the account.
            containers_of: Returns the IDs of the units above an account and of the root. It's only called if
                they matter, and its errors aren't caught.
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
            ", and neither is a unit above it" if units_decide else ""
        )


class UnreadableTagsError(Exception):
    """The tags of a resource can't be determined. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLists:
    """The resources that may be changed, by their tags. Keys and values are case-sensitive, as on AWS.

    Attributes:
        allow: Values by tag key, or `ANY`. If there is an entry, only resources that have one of these tags
            may be changed.
        deny: The same for resources that may not be changed. Takes precedence over `allow`.
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
            resource: The ARN or ID of the resource.
            tags: The current tags.
            reported: The tags in the finding. They can be outdated, so they can deny, but not allow.
            undoes: Whether a remediation is being undone. The previous state can be restored unless denied.
        """
        for key, value in (*tags.items(), *reported.items()):
            if _lists(self.deny, key, value):
                return f"{resource} has the tag {key}={value}, which is on the deny list"
        if undoes or not self.allow or any(_lists(self.allow, *tag) for tag in tags.items()):
            return None
        return f"{resource} has no tag that is on the allow list"


def _name_units(entries: Collection[str]) -> bool:
    return any(_UNIT.fullmatch(entry) for entry in entries)


def _lists(tags: Mapping[str, frozenset[str]], key: str, value: str) -> bool:
    return bool(tags.get(key, frozenset()) & {ANY, value})
