"""The formats of identifiers, each a regular expression and its description."""

from __future__ import annotations

from typing import Final

ACCOUNT_ID: Final = (r"[0-9]{12}", "a 12-digit account ID")
ARN: Final = (r"arn:[a-z-]+:.+", "an ARN, which starts with arn:")
REGION: Final = (r"global|[a-z]{2,4}(-[a-z]+)+-[0-9]", "a Region such as eu-west-1")
