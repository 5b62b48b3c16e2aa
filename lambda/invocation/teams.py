"""Adaptive Cards for a workflow of Microsoft Teams that posts what its webhook gets.

Texts that others can write are text runs, in which Teams looks for no Markdown, in contrast to text blocks.

Source: https://adaptivecards.io/explorer/TextRun.html
Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
Source: https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

MAX_BYTES: Final = 14_000
"""Teams allows 28 KB, of which a text in UTF-16, as some of its services count, is half."""

Element = dict[str, Any]


def payload_of(body: Iterable[Element]) -> bytes:
    """Return what is sent to the webhook, as JSON: a message with one card.

    Args:
        body: The elements of the card.
    """
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": list(body),
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    message = {"type": "message", "attachments": [attachment]}
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")


def line(text: str, **style: Any) -> Element:  # noqa: ANN401 - as the card's schema has it
    """Return a line of plain text."""
    return lines([run(text, **style)])


def lines(runs: Iterable[Element]) -> Element:
    """Return text of several runs."""
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": list(runs)}


def run(text: str, **style: Any) -> Element:  # noqa: ANN401 - as the card's schema has it
    """Return plain text with a style, such as `weight="Bolder"`."""
    return {"type": "TextRun", "text": text, **style}
