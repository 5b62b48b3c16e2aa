"""What people decide about findings in a tracker, and what that means by the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from functions.tickets.contract import Look
from functions.tickets.plain import one_line
from invocation.environment import Environment, wrong
from securityhub.findings.updates import truncate

RESOLVED: Final = "RESOLVED"
SUPPRESSED: Final = "SUPPRESSED"
REOPENED: Final = "REOPENED"

_VARIABLE: Final = "TICKET_DECISIONS"
_ALLOWED: Final = (
    'a JSON object such as {"jira": {"resolved": ["Done"], "suppressed": ["Accepted risk"]}}, with trackers '
    "of the variable TRACKERS and lists of names, each name in one list"
)
# Two names, an ID and a link fit into a note together.
_MAX_NAME: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision about a finding, made in the tracker of its ticket.

    Attributes:
        kind: `RESOLVED` or `SUPPRESSED`, the workflow status that the decision asks for; or `REOPENED`.
        name: The name of the ticket's state in the tracker.
        by: Who decided; empty if the tracker doesn't say.
        status: The workflow status that the decision gave to the finding; empty if it left it as it was.
    """

    kind: str
    name: str
    by: str
    status: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the decision as it's recorded."""
        return asdict(self)

    def is_same_as(self, other: Decision | None) -> bool:
        """Whether both are about the same change of the ticket, whatever came of it."""
        return other is not None and (self.kind, self.name, self.by) == (other.kind, other.name, other.by)

    def asks_the_same_as(self, other: Decision | None) -> bool:
        """Whether both ask for the same, whoever did, and whatever came of it.

        A ticket that goes from one closed state to another isn't decided about again: ServiceNow closes what
        was resolved by itself a day later, when somebody may have changed the finding's status since.

        Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB0552820
        """
        return other is not None and self.kind == other.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanings:
    """Which states of a tracker's tickets mean what. Case doesn't matter.

    Attributes:
        resolved: The names of states that mean that the finding is fixed.
        suppressed: The names of states that mean that it's accepted, or won't be fixed.
    """

    resolved: frozenset[str]
    suppressed: frozenset[str]

    def decision(self, look: Look) -> Decision | None:
        """Return what a ticket's state means, or None if it means nothing. The most specific name counts."""
        for name in look.names:
            for kind, names in ((SUPPRESSED, self.suppressed), (RESOLVED, self.resolved)):
                if name.casefold() in names:
                    return Decision(kind=kind, name=_line(name), by=_line(look.by))
        return None

    def reopening(self, look: Look) -> Decision | None:
        """Return that a ticket was reopened, or None if it's closed or in a state with a meaning."""
        if look.is_closed or self.decision(look):
            return None
        return Decision(kind=REOPENED, name=_line(look.names[-1]) if look.names else "", by=_line(look.by))


def meanings_of(environment: Environment, trackers: Mapping[str, str]) -> Mapping[str, Meanings]:
    """Return the meanings of each two-way tracker's states by its display name: `TICKET_DECISIONS`.

    Args:
        environment: The environment variables.
        trackers: The display names of the enabled trackers, by their names in `TRACKERS`.

    Raises:
        ValueError: The variable is invalid.
    """
    given = environment.get(_VARIABLE, "")
    if not given.strip():
        return {}
    try:
        return {trackers[name]: _meanings(lists) for name, lists in json.loads(given).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise wrong(_VARIABLE, given, _ALLOWED) from None


def _meanings(lists: Mapping[str, list[str]]) -> Meanings:
    if lists.keys() != {"resolved", "suppressed"}:
        raise ValueError
    resolved, suppressed = (
        frozenset(name.strip().casefold() for name in lists[key]) for key in ("resolved", "suppressed")
    )
    if resolved & suppressed or not resolved | suppressed:
        raise ValueError
    return Meanings(resolved=resolved, suppressed=suppressed)


def _line(text: str) -> str:
    """Return a tracker's text as part of a note: one line, not too long."""
    return truncate(one_line(text), _MAX_NAME)
