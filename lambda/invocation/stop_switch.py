"""Reads the parameters in Systems Manager that stop all changes, or some, without a deployment.

One is created by the deployment, and must exist. The other is people's own, and exists only once somebody has
stopped something. It outlasts deployments: CloudFormation writes the template's value again whenever anything
about its parameter changes, such as the tags of the stack. What either of them stops is stopped.

Their value is one of these:

- `allowed`: all changes are made;
- `stopped`: none are;
- `stopped` and then what is stopped, separated by spaces or commas: kinds of changes in `CHANGES`, and IDs of
  accounts. `stopped remediate 111122223333` stops remediation everywhere, and everything in that account.

Anything else stops all changes, and so do parameters that can't be read.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
Source: https://github.com/aws/aws-cdk/issues/25949
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from invocation.clients import create_client
from invocation.environment import Environment

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

CHANGES: Final = ("remediate", "tickets", "undo", "update_findings")
"""What can be stopped by itself. `undo` isn't part of `remediate`, so that what went wrong can be undone."""
VARIABLE: Final = "CHANGES_PARAMETER"
BY_HAND: Final = "/by-hand"
"""What follows the name of the deployment's parameter in that of the people's own."""
_ALLOWED: Final = "allowed"
_STOPPED: Final = "stopped"
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
# A function that can't read the switch should say so soon.
_READ_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """What is stopped at this moment.

    Attributes:
        everything: Whether all changes are.
        changes: The kinds of changes that are.
        accounts: The accounts in which all changes are.
        reason: Why, in a sentence without a period. Empty if nothing is stopped.
    """

    everything: bool = False
    changes: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    reason: str = ""

    def stops(self, change: str, account: str | None = None) -> bool:
        """Return whether a kind of change is stopped, everywhere or in an account."""
        return self.everything or change in self.changes or account in self.accounts

    def and_also(self, other: Stops) -> Stops:
        """Return what either of two parameters stops."""
        return Stops(
            everything=self.everything or other.everything,
            changes=self.changes | other.changes,
            accounts=self.accounts | other.accounts,
            reason="; ".join(filter(None, (self.reason, other.reason))),
        )

    @classmethod
    def parse(cls, value: str, *, parameter: str) -> Stops:
        """Read a value of the parameter."""
        words = value.replace(",", " ").split()
        named = set(words[1:])
        if words == [_ALLOWED]:
            return NOTHING_STOPPED
        changes = named & set(CHANGES)
        accounts = {word for word in named if _ACCOUNT.fullmatch(word)}
        if words[:1] != [_STOPPED] or named != changes | accounts:
            return cls(
                everything=True,
                reason=f"The parameter {parameter} is {value[:100]!r}, which is neither '{_ALLOWED}' nor "
                f"'{_STOPPED}' with some of {', '.join(CHANGES)}, and IDs of accounts, so all changes are "
                "stopped",
            )
        return cls(
            everything=not named,
            changes=frozenset(changes),
            accounts=frozenset(accounts),
            reason=f"The parameter {parameter} is {value[:100]!r}",
        )


NOTHING_STOPPED: Final = Stops()


class StopSwitch:
    """Reads the parameters each time that it is asked."""

    def __init__(self, parameter: str, client: SSMClient | None = None) -> None:
        """Prepare to read the parameters.

        Args:
            parameter: The name of the one that the deployment creates.
            client: Systems Manager. Default: a client that is created when they are first read.
        """
        self._parameter = parameter
        self._client = client

    @classmethod
    def from_environment(cls, environment: Environment) -> StopSwitch | None:
        """Return the switch whose parameters `CHANGES_PARAMETER` names, or None if it isn't set."""
        name = environment.get(VARIABLE, "").strip()
        return cls(name) if name else None

    def read(self) -> Stops:
        """Return what is stopped. It never raises: what isn't known stops everything."""
        own, by_hand = self._parameter, f"{self._parameter}{BY_HAND}"
        try:
            if self._client is None:
                self._client = create_client("ssm", read_seconds=_READ_SECONDS)
            found = self._client.get_parameters(Names=[own, by_hand])["Parameters"]
        except (BotoCoreError, ClientError) as error:
            reason = f"The parameters {own} and {by_hand} can't be read ({error}), so all changes are stopped"
            return Stops(everything=True, reason=reason)
        values = {one["Name"]: one.get("Value", "") for one in found}
        if own not in values:
            return Stops(
                everything=True, reason=f"The parameter {own} is missing, so all changes are stopped"
            )
        stops = Stops.parse(values[own], parameter=own)
        return stops.and_also(Stops.parse(values.get(by_hand, _ALLOWED), parameter=by_hand))


def read_stops(switch: StopSwitch | None) -> Stops:
    """Return what is stopped now; nothing if the function has no switch. Call it once in an invocation."""
    return switch.read() if switch else NOTHING_STOPPED
