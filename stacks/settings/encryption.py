"""The table `[encryption]` of settings.toml."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from stacks.settings.forms import Section

CREATE: Final = "create"
"""The value with which the app creates a key."""


class EncryptionSettings(Section):
    """The key with which the stacks encrypt what they store."""

    # Not an alias: CloudWatch Logs and the conditions of policies need the key itself.
    key: str = Field(
        pattern=rf"^({CREATE}|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{{12}}:key/(mrk-)?[a-f0-9-]{{32,36}})?$",
        description="the ARN of a customer managed KMS key in the stacks' account and Region, not of an "
        f"alias; '{CREATE}' for one that the app creates; or '' for keys of AWS",
    )
