"""The way of an issue in Jira to a done status, in one or several transitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from functions.tickets.contract import Ticket
from functions.tickets.trackers.calls import CallFailedError, Calls
from functions.tickets.trackers.destinations import Destinations
from functions.tickets.trackers.fields import FieldValue, Scalar
from functions.tickets.trackers.jira_fields import cure_of, given, shaped
from functions.tickets.trackers.jira_site import Site, find_own_issue
from securityhub.events import Finding

KEY: Final = "ticketing.jira"
"""The key of the tracker in settings.toml."""

_COMMENT: Final = "comment"

Fields = Mapping[str, FieldValue]
"""Fields of transitions, by their IDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transition:
    """A transition that an issue offers, and whether it's the last one to take."""

    offered: Mapping[str, Any]
    is_last: bool

    @property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The fields on its screen, by their IDs. Jira accepts no others."""
        found: Mapping[str, Mapping[str, Any]] = self.offered.get("fields") or {}
        return found


class Closing:
    """Moves issues to a done status.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-post
    """

    def __init__(
        self,
        calls: Calls[Site],
        *,
        closings: Destinations[Fields],
        steps: Sequence[str],
        done_transition: str | None,
    ) -> None:
        """Prepare to move issues.

        Args:
            calls: Calls to the site.
            closings: The fields of transitions.
            steps: The transitions on the way to a done status.
            done_transition: The name of the transition that resolves an issue. None for the first transition
                to a status of the category Done.
        """
        self._calls = calls
        self._closings = closings
        self._all_steps = steps
        self._done_transition = done_transition

    def rule_of(self, finding: Finding) -> str:
        """Return what identifies the first rule that matches a finding, or an empty string."""
        return self._closings.rule_of(finding)

    def close(self, ticket: Ticket, reason: str, finding: Finding | None, *, rule: str = "") -> None:
        """Move an issue to a done status, and comment on it. One that is done or deleted is left as it is.

        As long as the issue doesn't offer the transition that resolves it, it takes the first of the steps
        that the issue offers and that were not yet taken. The next attempt begins where the issue is then.

        Args:
            ticket: The issue.
            reason: Why it's closed.
            finding: The finding that the issue is about. None for the issue of a group.
            rule: By which the issue of a group was created. Default: no rule.
        """
        closing = self._closings.of(finding, rule)
        values = given(closing, finding)
        key, status = ticket.id, self.status_of(ticket)
        if status is None or _is_done(status):
            return
        steps, is_said = [*self._all_steps], False
        while True:
            transition = self._next(key, steps, status)
            is_said |= self._take(key, transition, reason, closing, values, is_said=is_said)
            status = transition.offered["to"]
            if transition.is_last or _is_done(status):
                break
        if not is_said:
            self._calls(
                "comment on the ticket",
                lambda site: site.client.add_comment(key, site.text(reason)),
                repeatable=False,
            )

    def status_of(self, ticket: Ticket) -> Mapping[str, Any] | None:
        """Return the status of an issue, or None if the issue was deleted."""
        issue = find_own_issue(self._calls, ticket, fields="status")
        return issue["fields"]["status"] if issue else None

    def _next(self, key: str, steps: list[str], status: Mapping[str, Any]) -> _Transition:
        """Return the next transition to take, and remove the steps up to it, which are done or not needed."""
        all_offered: Sequence[Mapping[str, Any]] = self._calls(
            "read the ticket's transitions",
            lambda site: site.client.transitions(key, expand="transitions.fields"),
        )
        for offered in all_offered:
            resolves = (
                _is_named(offered, self._done_transition)
                if self._done_transition
                else _is_done(offered["to"])
            )
            if resolves:
                return _Transition(offered=offered, is_last=True)
        for number, step in enumerate(steps):
            for offered in all_offered:
                if _is_named(offered, step) and offered["to"].get("id") != status.get("id"):
                    del steps[: number + 1]
                    return _Transition(offered=offered, is_last=False)
        names = ", ".join(repr(offered["name"]) for offered in all_offered) or "none"
        wish = repr(self._done_transition) if self._done_transition else "to a done status"
        raise self._calls.refusal(
            "resolve the ticket",
            f"{key} has no transition {wish}, only {names}",
            f"Set {KEY}.done_transition in settings.toml to the name of a transition that resolves an issue, "
            f"and {KEY}.steps to those on the way there, or allow the user of JIRA_SECRET to use them.",
        )

    def _take(
        self,
        key: str,
        transition: _Transition,
        reason: str,
        closing: Fields,
        values: Mapping[str, Sequence[Scalar]],
        *,
        is_said: bool,
    ) -> bool:
        """Take a transition with the fields on its screen, and return whether the reason went with it."""
        says = not is_said and _COMMENT in transition.fields
        on_screen = {name: found for name, found in values.items() if name in transition.fields}
        goal = "resolve the ticket"
        try:
            self._calls(
                goal,
                lambda site: site.client.transition_issue(
                    key,
                    str(transition.offered["id"]),
                    fields=shaped(closing, on_screen, site),
                    comment=site.text(reason) if says else None,
                ),
                repeatable=False,
            )
        except CallFailedError as error:
            if not error.failure.fields:
                raise
            raise self._calls.with_cure(goal, error, self._cure(error, transition, closing)) from None
        return says

    def _cure(self, error: CallFailedError, transition: _Transition, known: Fields) -> str:
        refused = error.failure.fields
        names = {name: str(field.get("name", name)) for name, field in transition.fields.items()}
        cure = cure_of(refused, known=known, key=f"{KEY}.close_fields", names=names)
        if absent := [name for name in refused if name not in transition.fields]:
            cure += (
                f" The screen of the transition {transition.offered['name']!r} lacks {', '.join(absent)}: "
                f"add them to it, or give them when the issue is created, in {KEY}.fields."
            )
        return cure


def _is_named(transition: Mapping[str, Any], name: str) -> bool:
    return str(transition["name"]).casefold() == name.casefold()


def _is_done(status: Mapping[str, Any]) -> bool:
    return bool(status["statusCategory"]["key"] == "done")
