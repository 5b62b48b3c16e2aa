"""Looks up where accounts are in the organization."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from invocation import clients

# As long as an invocation can take: a batch looks up each account and unit once, which saves the low request
# rate that the whole organization shares. For that long, a moved account can count as being in its old place.
_KEPT_FOR: Final = timedelta(minutes=5)
_MOST_KEPT: Final = 10_000
# Organizational units are nested at most five deep. Anything deeper isn't a tree.
_MAX_PARENTS: Final = 10
_ROOT: Final = "ROOT"


class OrganizationError(Exception):
    """It couldn't be found out where an account is in the organization."""


def create_client(region: str | None = None) -> Any:  # noqa: ANN401 - the stubs have no Organizations
    """Create the client. Organizations has one endpoint for all Regions of a partition."""
    return clients.create_client("organizations", region=region, read_seconds=20)


class Organization:
    """Finds the organizational units above an account, and caches each step for some minutes.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
    """

    def __init__(
        self,
        client: Any = None,  # noqa: ANN401 - as above
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to look up accounts.

        Args:
            client: Organizations. Default: a client that is created when it is first needed, which is never
                where the lists name no units.
            now: The time.
        """
        self._client = client
        self._now = now
        self._kept: dict[str, tuple[datetime, str, bool]] = {}

    def containers_of(self, account: str) -> tuple[str, ...]:
        """Return the IDs of the units above an account, its own first, and of the root last.

        Raises:
            OrganizationError: Organizations refuses or does not answer, or does not know the account.
        """
        containers: list[str] = []
        child = account
        for _ in range(_MAX_PARENTS):
            child, is_root = self._parent_of(child)
            containers.append(child)
            if is_root:
                return tuple(containers)
        raise OrganizationError(f"No root was found above account {account}: {', '.join(containers)}.")

    def _parent_of(self, child: str) -> tuple[str, bool]:
        now = self._now()
        kept = self._kept.get(child)
        if kept is None or kept[0] <= now:
            kept = (now + _KEPT_FOR, *self._ask(child))
            # Behind the others, so that the oldest is the first.
            self._kept.pop(child, None)
            self._kept[child] = kept
            if len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return kept[1:]

    def _ask(self, child: str) -> tuple[str, bool]:
        if self._client is None:
            self._client = create_client()
        try:
            pages = list(self._client.get_paginator("list_parents").paginate(ChildId=child))
        except (ClientError, BotoCoreError) as error:
            raise OrganizationError(
                f"What {child} belongs to could not be found out: {error} The lists name organizational "
                "units, so the administrator account must be the organization's management account or a "
                "delegated administrator, and the account must be in the organization."
            ) from error
        parents = [parent for page in pages for parent in page["Parents"]]
        if len(parents) != 1:
            raise OrganizationError(f"{child} has {len(parents)} parents in the organization, not one.")
        return parents[0]["Id"], parents[0]["Type"] == _ROOT
