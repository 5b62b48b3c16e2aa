"""Reads and validates settings files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import (
    BaseModel,
    ValidationError,
)

from stacks.settings.app import Settings
from stacks.settings.faults import SettingsError, explained

SETTINGS_FILE: Final = Path(__file__).resolve().parents[2] / "settings.toml"


def load_settings(path: Path = SETTINGS_FILE, *, overlay: Path | None = None) -> Settings:
    """Read and validate a settings file.

    Args:
        path: The TOML file. Default: settings.toml next to app.py.
        overlay: A TOML file with the settings that differ, such as those of one environment. Its sections are
            merged into those of `path`. A value, including a filter or a table of tags, replaces the other.

    Raises:
        SettingsError: A file is missing, isn't a TOML file, or has errors. The message lists all of them.
    """
    document = _read(path)
    if overlay is None:
        return check_settings(document, source=str(path))
    return check_settings(_merged(Settings, document, _read(overlay)), source=f"{path} with {overlay}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist. Restore settings.toml from the repository, or correct the path in "
            "-c settings=PATH."
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not a TOML file, because it is not UTF-8: {error}.") from None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for a number with too many digits
        raise SettingsError(f"{path} is not a TOML file: {error}.") from None


def _merged(model: type[BaseModel], base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the overlay section by section. It replaces a filter or a table of tags as a whole."""
    merged = {**base, **overlay}
    for name, field in model.model_fields.items():
        section: Any = field.annotation
        first, second = base.get(name), overlay.get(name)
        is_section = isinstance(section, type) and issubclass(section, BaseModel)
        if is_section and isinstance(first, Mapping) and isinstance(second, Mapping):
            merged[name] = _merged(section, first, second)
    return merged


def check_settings(document: Mapping[str, object], *, source: str) -> Settings:
    """Validate settings.

    Args:
        document: The contents of the TOML file.
        source: The name of the source, for the error message.

    Raises:
        SettingsError: The settings have errors. The message lists all of them.
    """
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = [line for fault in error.errors(include_url=False) for line in explained(fault)]
        count = f"{len(faults)} errors" if len(faults) > 1 else "an error"
        raise SettingsError("\n  ".join([f"{source} has {count}:", *faults])) from None
