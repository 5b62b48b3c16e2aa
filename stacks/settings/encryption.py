"""The table `[encryption]` of settings.toml."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from stacks.settings.forms import Section, distinct

CREATE: Final = "create"
"""The value with which the app creates a key."""
# Not an alias: CloudWatch Logs and the conditions of policies need the key itself.
_ARN: Final = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-)?[a-f0-9-]{32,36}"

_Keys = Annotated[list[Annotated[str, Field(pattern=rf"^{_ARN}$")]], AfterValidator(distinct)]


class EncryptionSettings(Section):
    """The key with which the stacks encrypt what they store."""

    key: str = Field(
        pattern=rf"^({CREATE}|{_ARN})?$",
        description="the ARN of a customer managed KMS key in the stacks' account and Region, not of an "
        f"alias; '{CREATE}' for one that the app creates; or '' for keys of AWS",
    )
    earlier_keys: _Keys = Field(
        description="a list of ARNs, without duplicates, of what was the key before, or [] for none"
    )
