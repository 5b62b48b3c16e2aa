"""Hides hashes of assets, which change whenever code does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_ASSET_FILE: Final = re.compile(r"\b[0-9a-f]{64}(?=\.(?:zip|json|jar|tgz|ya?ml|txt|py|js)\b)")
_ASSET_NAME: Final = re.compile(r"((?:\basset\.|AssetParameters|assets[\w${}:.-]*:))[0-9a-f]{64}")
_HASH_KEYS: Final = re.compile(r"(?i)(hash|s3key|s3objectkey)$")
_PLAIN_HASH: Final = re.compile(r"[0-9a-f]{32,64}")
_HIDDEN: Final = "*"


def settled(value: Any, *, key: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """Return a value in which hashes of assets are hidden."""
    if isinstance(value, Mapping):
        return {name: settled(item, key=name) for name, item in value.items()}
    if isinstance(value, list):
        return [settled(item, key=key) for item in value]
    if not isinstance(value, str):
        return value
    if _HASH_KEYS.search(key):
        return _PLAIN_HASH.sub(_HIDDEN, value)
    return _ASSET_NAME.sub(rf"\1{_HIDDEN}", _ASSET_FILE.sub(_HIDDEN, value))
