"""The table `[stop_switch]` of settings.toml."""

from __future__ import annotations

from pydantic import Field, field_validator

from stacks.settings.forms import Section


class StopSwitchSettings(Section):
    """A parameter in Systems Manager that stops changes without a deployment."""

    enabled: bool = Field(
        description="true or false, whether a parameter stops the changes of remediation, of ticketing, and, "
        "where one of them is enabled, of the custom actions for analysts"
    )
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
    parameter_name: str = Field(
        pattern=r"^(/[A-Za-z0-9_.-]+){1,14}$",
        max_length=500,
        description="the name of the parameter, such as '/securityhub-actions/changes': a slash before each "
        "of up to 14 parts, letters, digits, and _.- in the parts, and neither aws nor ssm at the beginning",
    )

    @field_validator("parameter_name")
    @classmethod
    def _is_not_reserved(cls, name: str) -> str:
        if name.lower().startswith(("/aws", "/ssm")):
            raise ValueError(
                f"{name!r} begins with /aws or /ssm, which Systems Manager reserves; choose another name"
            )
        return name
