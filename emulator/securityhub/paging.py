"""NextToken and MaxResults, the same for every operation that lists."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, TypeVar

from emulator.securityhub.model import Document, SecurityHubError

MAX_RESULTS: Final = 100
"""The most entries of a page, and as many as a page has where MaxResults is left out."""

Item = TypeVar("Item")


def page(listing: str, items: Sequence[Item], request: Document) -> tuple[Sequence[Item], Document]:
    """One page of a list.

    Args:
        listing: What is listed. A token of one list isn't valid for another.
        items: The whole list, in an order that holds between calls.
        request: The request, with `MaxResults` (1 to 100, default 100) and `NextToken`.

    Returns:
        The page, and `{"NextToken": ...}` where more follow or else an empty object.

    Raises:
        SecurityHubError: InvalidInputException if the token isn't from this list.
    """
    size = int(request.get("MaxResults") or MAX_RESULTS)
    query = _digest(listing, request)
    start = _offset(request["NextToken"], query) if request.get("NextToken") else 0
    end = start + size
    more = {"NextToken": _token(end, query)} if end < len(items) else {}
    return items[start:end], more


def _digest(listing: str, request: Document) -> str:
    query = {key: value for key, value in request.items() if key not in {"NextToken", "MaxResults"}}
    return sha256(json.dumps([listing, query], sort_keys=True).encode()).hexdigest()


def _token(offset: int, query: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([offset, query]).encode()).decode()


def _offset(token: str, query: str) -> int:
    try:
        offset, issued_for = json.loads(base64.urlsafe_b64decode(token))
        valid = isinstance(offset, int) and offset >= 0 and issued_for == query
    except (binascii.Error, ValueError, TypeError):
        valid = False
    if not valid:
        raise SecurityHubError(
            "InvalidInputException",
            "NextToken is not one that this request returned: repeat the call unchanged, with the token of "
            "the previous page, or start again without a token",
        )
    return int(offset)
