"""Synthesizes the whole app, as app.py does, with given settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import app
from stacks.settings import Settings


def synthesize_app(settings: Settings, folder: Path, *, context: Mapping[str, Any]) -> None:
    """Run app.py into a folder, without the checks, which take longer than everything else.

    Args:
        settings: What app.py would read from the settings files.
        folder: Where the templates go.
        context: The context of the app.
    """
    made = App(context=dict(context), outdir=str(folder), analytics_reporting=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "App", lambda: made)
        patch.setattr(app, "load_settings", lambda **_: settings)
        patch.setattr(app, "check_templates", lambda _: None)
        patch.setenv("CDK_DEFAULT_ACCOUNT", "111122223333")
        patch.setenv("CDK_DEFAULT_REGION", "us-east-1")
        app.main()
