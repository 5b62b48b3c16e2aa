"""Find a name of MiniStack."""

from __future__ import annotations

import importlib


def found(name):
    """What a name such as `services.eventbridge._put_rule` stands for, or None if it's gone."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"ministack.{module}"), attribute, None)
