"""Names of accounts, from AWS Organizations. A name that can't be found out is no failure."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

LOGGER: Final = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)
KNOWN_SECONDS: Final = 3600.0
"""How long a name is kept."""
UNKNOWN_SECONDS: Final = 300.0
"""How long it's kept that a name couldn't be found out."""
MOST_KEPT: Final = 10_000
"""How many accounts are kept, because findings can name any number of them that don't exist."""


class AccountNames:
    """Looks names of accounts up, and keeps them.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeAccount.html
    """

    def __init__(self, describe_account: Callable[..., Any], clock: Callable[[], float]) -> None:
        """Prepare to look names up.

        Args:
            describe_account: The operation of an Organizations client.
            clock: Returns a time in seconds that never goes back.
        """
        self._describe_account = describe_account
        self._clock = clock
        self._kept: dict[str, tuple[float, str | None]] = {}
        self._silent_until = 0.0

    def of(self, account: str) -> str | None:
        """Return the name of an account, or None if it can't be found out."""
        now = self._clock()
        kept_until, name = self._kept.get(account, (0.0, None))
        if now < kept_until:
            return name
        if now < self._silent_until or not re.fullmatch(r"[0-9]{12}", account):
            return None
        name = self._ask(account)
        # Behind the others, so that the oldest is the first.
        self._kept.pop(account, None)
        self._kept[account] = (now + (UNKNOWN_SECONDS if name is None else KNOWN_SECONDS), name)
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return name

    def _ask(self, account: str) -> str | None:
        try:
            answer = self._describe_account(AccountId=account)
        except (ClientError, BotoCoreError) as error:
            LOGGER.warning("The name of account %s is unknown: %s", account, error)
            if _is_about_all_accounts(error):
                self._silent_until = self._clock() + UNKNOWN_SECONDS
            return None
        name = answer.get("Account", {}).get("Name")
        return name if isinstance(name, str) and name.strip() else None


def _is_about_all_accounts(error: Exception) -> bool:
    """Whether other accounts would fail, too, and only cost the time that is left for sending."""
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return code != "AccountNotFoundException"
