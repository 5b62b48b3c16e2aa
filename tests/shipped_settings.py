"""The settings that the app is shipped with, which the tests use however settings.toml is configured."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from stacks.settings import load_settings

SHIPPED_SETTINGS_FILE: Final = Path(__file__).with_suffix(".toml")

load_shipped_settings = functools.partial(load_settings, SHIPPED_SETTINGS_FILE)
"""As `load_settings`, but from the file beside this module."""
