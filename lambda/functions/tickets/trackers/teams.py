"""Cards in a channel of Microsoft Teams, posted by a workflow.

The webhook of a workflow takes a card and answers before it's posted. Nothing that was posted can be found,
changed, or read by it. Microsoft Graph could, but posts to a channel only in the name of a person who signs
in: for applications, its permission to do so is for migrations.

Source: https://learn.microsoft.com/graph/api/chatmessage-post
Source: https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from functions.tickets.contract import Abilities, Draft, Ticket
from functions.tickets.plain import one_line
from functions.tickets.text import body, title
from functions.tickets.trackers.calls import (
    Calls,
    Failure,
    SecretUnusableError,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.destinations import Destinations
from functions.tickets.trackers.fields import FieldValue, TrackerFields, fields_of, text_of
from invocation.environment import required
from invocation.posting import Answer, NoAnswerError, keeps_secrets, post
from invocation.secrets import GetSecret, Secret
from invocation.teams import MAX_BYTES, Element, line, payload_of
from securityhub.events import Finding
from securityhub.findings.updates import truncate

KEY: Final = "ticketing.teams"
"""The key of the tracker in settings.toml."""

DEFAULT_MEMBER: Final = "webhook_url"
"""The member of the secret with the URL of the workflow for findings that no rule matches."""

_MAX_TITLE: Final = 300
_MAX_CODE: Final = 60
_REFERENCE_CHARACTERS: Final = 12
_CURE: Final = (
    "Check that the workflow is turned on and that its owner still works here, and copy its URL again into "
    "the secret that TEAMS_SECRET names."
)

Post = Callable[[str, bytes], None]
"""Posts a payload by the workflow whose URL a member of the secret has."""


class RefusedError(Exception):
    """A workflow refused a card.

    Attributes:
        answer: What it answered.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"HTTP {answer.status}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a card is posted.

    Attributes:
        member: The member of the secret with the URL of the workflow.
        link: The link to the channel.
        fields: Extra lines of the card, by what stands before the colon.
    """

    member: str
    link: str
    fields: Mapping[str, FieldValue]


class Teams:
    """Posts a card for a finding, and another one when it's settled, with the same reference."""

    name = "Teams"
    abilities = Abilities()

    def __init__(self, calls: Calls[Post], *, destinations: Destinations[Place]) -> None:
        """Make a tracker of workflows.

        Args:
            calls: Calls to workflows.
            destinations: The workflows by which cards are posted.
        """
        self._calls = calls
        self._destinations = destinations

    def place_of(self, finding: Finding) -> str:
        """Return the member of the secret with the URL of the workflow."""
        return self._destinations.of(finding).member

    def find(self, draft: Draft, since: datetime) -> Ticket | None:  # noqa: ARG002 - as in other trackers
        """Return None: what a workflow has posted can't be found.

        So an attempt whose result nobody knows is repeated, and the card may be there twice.
        """
        return None

    def open(self, draft: Draft) -> Ticket:
        """Post a card."""
        place = self._destinations.of(draft.finding)
        reference = _short(draft.key)
        self._post("post the card", place.member, _opened(draft, place.fields, reference))
        return Ticket(id=f"{place.member}/{reference}", link=place.link)

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Post the new title if a group's highest severity has changed: a card can't be changed."""
        if draft.listing and draft.listing.severity_changed:
            member, _, reference = ticket.id.partition("/")
            heading = line(title(draft.finding, _MAX_TITLE), size="Large", weight="Bolder")
            self._post("post the new title", member, [heading, _reference(reference)])

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:
        """Post a card that says so, by the workflow of the first one."""
        member, _, reference = ticket.id.partition("/")
        heading = "Resolved" if finding is None else f"Resolved: {one_line(finding.title)}"
        elements = [
            line(truncate(heading, _MAX_TITLE), size="Large", weight="Bolder", color="Good"),
            line(reason),
            _reference(reference),
        ]
        self._post("post that the finding is settled", member, elements)

    def _post(self, goal: str, member: str, elements: Sequence[Element]) -> None:
        payload = _fitting(elements)
        self._calls(goal, lambda send: send(member, payload), repeatable=False)


def from_environment(
    environment: Mapping[str, str], get_secret: GetSecret, settings: Mapping[str, Any]
) -> Teams:
    """Create the tracker from the environment variables `TEAMS_*` and its settings in the file.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    calls: Calls[Post] = Calls(
        name=Teams.name,
        read_secret=partial(get_secret, required(environment, "TEAMS_SECRET")),
        connect=lambda secret: partial(_send, secret),
        explain=_explain,
        cures=dict.fromkeys((400, 401, 403, 404, 410), _CURE),
    )
    default = Place(
        member=DEFAULT_MEMBER,
        link=required(environment, "TEAMS_CHANNEL_URL"),
        fields=TrackerFields.of(settings, KEY).opening,
    )
    return Teams(
        calls,
        destinations=Destinations.read(settings, KEY, default=default, place=partial(_place, default)),
    )


def _place(default: Place, rule: Mapping[str, Any], key: str) -> Place:
    return Place(
        member=rule.get("webhook", default.member),
        link=rule.get("channel_url", default.link),
        fields={**default.fields, **fields_of(rule.get("fields", {}), f"{key}.fields")},
    )


def _send(secret: Secret, member: str, payload: bytes) -> None:
    url = secret_member(secret, member, "TEAMS_SECRET")
    if not keeps_secrets(url):
        raise SecretUnusableError(
            f"{member} in the secret that TEAMS_SECRET names must begin with https://. Copy the URL from the "
            "workflow."
        )
    answer = post(url, payload, {"Content-Type": "application/json; charset=utf-8"})
    if not answer.is_success:
        raise RefusedError(answer)


def _opened(draft: Draft, fields: Mapping[str, FieldValue], reference: str) -> list[Element]:
    return [
        line(title(draft.finding, _MAX_TITLE), size="Large", weight="Bolder"),
        *(line(text) for text in _field_lines(fields, draft.finding)),
        *(line(text) for text in body(draft).split("\n")),
        _reference(reference),
    ]


def _short(key: str) -> str:
    """Return a draft's key in a length that people can compare, with the number of the ticket at the end."""
    digest, _, number = key.rpartition("-")
    return f"{digest[:_REFERENCE_CHARACTERS]}-{number}"


def _field_lines(fields: Mapping[str, FieldValue], finding: Finding) -> Iterator[str]:
    for name, field in fields.items():
        if values := field.of(finding):
            yield f"{name}: {', '.join(map(text_of, values))}"


def _reference(key: str) -> Element:
    return line(f"Reference: {key}", isSubtle=True)


def _fitting(elements: Sequence[Element]) -> bytes:
    """Return the payload with as many lines as a card may have, always with the first and the last."""
    *head, last = elements
    payload = payload_of(elements)
    while len(payload) > MAX_BYTES and len(head) > 1:
        head.pop()
        payload = payload_of([*head, line("…"), last])
    return payload


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, RefusedError):
        return Failure(
            status=error.answer.status,
            said=_code(error.answer),
            retry_after=seconds_until_retry(error.answer.retry_after),
        )
    if isinstance(error, NoAnswerError):
        return Failure(status=None, said=str(error))
    return None


def _code(answer: Answer) -> str:
    """Return the workflow's name for what is wrong. The rest of its answer can contain the URL."""
    try:
        return str(json.loads(answer.content)["error"]["code"])[:_MAX_CODE]
    except (ValueError, LookupError, TypeError):
        return "no reason given"
