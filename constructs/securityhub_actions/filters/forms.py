"""The forms of identifiers, each a regular expression and its description."""

from __future__ import annotations

from typing import Final

ACCOUNT_ID: Final = (r"[0-9]{12}", "an account id of 12 digits")
ARN: Final = (r"arn:[a-z-]+:.+", "an ARN, which begins with arn:")
REGION: Final = (r"global|[a-z]{2,4}(-[a-z]+)+-[0-9]", "a region such as eu-west-1")
