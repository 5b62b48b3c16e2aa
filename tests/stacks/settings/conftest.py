"""Functions that load the text of a settings file."""

from __future__ import annotations

import pytest

from stacks.settings import SettingsError, load_settings
from tests.shipped_settings import load_shipped_settings
from tests.stacks.settings.documents import REST


@pytest.fixture
def load(tmp_path):
    """A function that loads settings from the text of a file."""
    file = tmp_path / "settings.toml"

    def load(text):
        file.write_text(text + REST, encoding="utf-8")
        return load_settings(file)

    return load


@pytest.fixture
def fault(load):
    """A function that returns the one fault of a file."""

    def fault(text):
        with pytest.raises(SettingsError) as raised:
            load(text)
        count, line = str(raised.value).split("\n")
        assert count.endswith("settings.toml has an error:")
        return line.strip()

    return fault


@pytest.fixture
def overlaid(tmp_path):
    """A function that loads the shipped settings with what differs."""

    def load(text):
        file = tmp_path / "production.toml"
        file.write_text(text, encoding="utf-8")
        return load_shipped_settings(overlay=file)

    return load
