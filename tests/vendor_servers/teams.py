"""The webhook of a workflow that posts an Adaptive Card to a channel of Microsoft Teams.

Source: https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
Source: https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference
Source: https://learn.microsoft.com/adaptive-cards/schema-explorer/adaptive-card
Source: https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run
Source: https://learn.microsoft.com/troubleshoot/power-platform/power-automate/flow-run-issues/triggers-troubleshoot
Source: https://github.com/swisscom/backman/issues/102
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.vendor_servers.server import Request, Response, VendorServer

MAX_BYTES = 28 * 1024
_FLOWS = "/powerautomate/automations/direct/workflows"
_PATH = f"{_FLOWS}/0123/triggers/manual/paths/invoke"
_OTHER = f"{_FLOWS}/4567/triggers/manual/paths/invoke"
CHANNEL_URL = (
    "https://teams.microsoft.com/l/channel/19%3Aexample%40thread.tacv2/Security?groupId=1&tenantId=2"
)
_CARD = "application/vnd.microsoft.card.adaptive"
_VERSIONS = {"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}
# The properties of a text run, and the values of those that have a list of them.
_OF_RUNS = {
    "type": {"textrun"},
    "text": None,
    "color": {"default", "dark", "light", "accent", "good", "warning", "attention"},
    "fontType": {"default", "monospace"},
    "highlight": None,
    "isSubtle": None,
    "italic": None,
    "size": {"default", "small", "medium", "large", "extralarge"},
    "strikethrough": None,
    "underline": None,
    "weight": {"default", "lighter", "bolder"},
}


class TeamsServer(VendorServer):
    """A workflow.

    Attributes:
        secret: what the secret holds: the URLs of two workflows.
        signature: the part of these URLs that nobody can guess.
        cards: what the channel of the first one shows.
        other_cards: what that of the other one shows.
    """

    routes: ClassVar = {("POST", _PATH): "_run", ("POST", _OTHER): "_run"}

    def __init__(self) -> None:
        super().__init__()
        self.signature = "teams-secret-1"
        self.cards: list[Any] = []
        self.other_cards: list[Any] = []

    @property
    def secret(self) -> dict[str, str]:
        query = f"?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={self.signature}"
        return {"webhook_url": f"{self.url}{_PATH}{query}", "payments": f"{self.url}{_OTHER}{query}"}

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {"TEAMS_CHANNEL_URL": CHANNEL_URL, "TEAMS_SECRET": secret_id}

    def refuse(self, request: Request) -> Response | None:
        if request.query.get("sig") != self.signature:
            return Response(status=401, body={"error": {"code": "DirectApiAuthorizationRequired"}})
        return None

    def _run(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _refusal("InvalidRequestContent")
        size = len(json.dumps(request.body, ensure_ascii=False).encode("utf-8"))
        if size > MAX_BYTES:
            return Response(status=413, body={"error": {"code": "RequestEntityTooLarge"}})
        if request.body.get("type") != "message" or len(request.body.get("attachments", ())) != 1:
            return _refusal("TriggerInputSchemaMismatch")
        (attachment,) = request.body["attachments"]
        card = attachment.get("content", {})
        if attachment.get("contentType") != _CARD or card.get("type") != "AdaptiveCard":
            return _refusal("TriggerInputSchemaMismatch")
        if card.get("version") not in _VERSIONS or not all(map(_is_plain, card["body"])):
            return _refusal("InvalidCard")
        (self.cards if request.path == _PATH else self.other_cards).append(card)
        return Response(status=202)


def _refusal(code: str) -> Response:
    return Response(status=400, body={"error": {"code": code}})


def _is_plain(element: Any) -> bool:
    """Whether an element is one in which Teams reads no Markdown, and fits its schema."""
    if element["type"] == "FactSet":
        return all({"title", "value"} <= {*one} for one in element["facts"])
    return element["type"] == "RichTextBlock" and all(map(_is_run, element["inlines"]))


def _is_run(inline: Any) -> bool:
    if not {"type", "text"} <= {*inline} <= {*_OF_RUNS} or not isinstance(inline["text"], str):
        return False
    return all(
        allowed is None or str(inline[name]).lower() in allowed
        for name, allowed in _OF_RUNS.items()
        if name in inline
    )


def text_of(card: Any) -> str:
    """The text of a card, line by line."""
    return "\n".join("".join(run["text"] for run in one["inlines"]) for one in card["body"])
