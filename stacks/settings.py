"""The settings of the stacks, typed, and read from settings.toml."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns.syntax import parse_conditions

SETTINGS_FILE: Final = Path(__file__).resolve().parent.parent / "settings.toml"

_ANY: Final = "ANY"
_EMAIL: Final = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


class SettingsError(ValueError):
    """A settings file cannot be used; the message lists every fault with the key, the value and the cure."""


def _to_filter(value: object) -> FindingFilter:
    """Make a FindingFilter of a table; `"ANY"` lets every value pass, a table is a condition of EventBridge."""
    if not isinstance(value, Mapping):
        raise ValueError("a table of FindingFilter's fields is required")  # noqa: TRY004 - for pydantic
    try:
        return FindingFilter(**{name: _to_field(wanted) for name, wanted in value.items()})
    except TypeError:
        allowed = ", ".join(FindingFilter.__dataclass_fields__)
        unknown = ", ".join(sorted(value.keys() - FindingFilter.__dataclass_fields__.keys()))
        raise ValueError(f"unknown filter field {unknown}; allowed are {allowed}") from None


def _to_field(wanted: Any) -> Any:  # noqa: ANN401 - FindingFilter checks it
    if wanted == _ANY:
        return None
    items = wanted if isinstance(wanted, list) else [wanted]
    return [parse_conditions([item], "$")[0] if isinstance(item, Mapping) else item for item in items]


Filter = Annotated[FindingFilter, BeforeValidator(_to_filter)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)


class ArchiveSettings(_Settings):
    """Findings to S3, in partitions by date and account.

    Attributes:
        enabled: whether the archive is deployed.
        retention_days: after how many days an object is deleted, 1 or more.
        filter: which findings; every version of each that passes is kept.
    """

    enabled: bool
    retention_days: int = Field(ge=1)
    filter: Filter


class SlackSettings(_Settings):
    """Findings to a Slack channel.

    Attributes:
        enabled: whether the channel gets them.
        channel: the channel's id, such as `C024BE91L`.
        secret_name: the name of a secret in Secrets Manager, a JSON object with `bot_token`.
    """

    enabled: bool
    channel: str = Field(pattern=r"^[CGD][A-Z0-9]{8,}$")
    secret_name: str = Field(min_length=1)


class CriticalSettings(_Settings):
    """Findings to an SNS topic, and to a chat.

    Attributes:
        enabled: whether topic and chat are deployed.
        emails: addresses that are subscribed to the topic; each gets a mail to confirm.
        filter: which findings.
        slack: the chat.
    """

    enabled: bool
    emails: list[Annotated[str, Field(pattern=_EMAIL)]]
    filter: Filter
    slack: SlackSettings


class HighSettings(_Settings):
    """Findings to a queue.

    Attributes:
        enabled: whether the queue is deployed.
        filter: which findings.
    """

    enabled: bool
    filter: Filter


class RoutingSettings(_Settings):
    """What the findings routing stack does, part by part."""

    archive: ArchiveSettings
    critical: CriticalSettings
    high: HighSettings

    @property
    def enabled(self) -> bool:
        """Whether any part is on."""
        return self.archive.enabled or self.critical.enabled or self.high.enabled


class Settings(_Settings):
    """All settings of the app."""

    routing: RoutingSettings


def load_settings(path: Path = SETTINGS_FILE) -> Settings:
    """Read and check a settings file.

    Args:
        path: the TOML file. Default: settings.toml beside app.py.

    Raises:
        SettingsError: the file is missing, no TOML, or has faults; the message lists all of them.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist. Restore it from the repository and adapt it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}.") from None
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}; {fault['input']!r} was given"
            for fault in error.errors(include_url=False)
        ]
        raise SettingsError(
            "\n".join(
                [f"{path} has {len(faults)} fault(s), see stacks/settings.py for what is allowed:", *faults]
            )
        ) from None
