"""Reads a synthesized CDK app: its stacks with their custom actions, rules, and targets."""

from __future__ import annotations

from securityhub_actions.cli.assembly.folder import AssemblyError, read_templates
from securityhub_actions.cli.assembly.model import Action, App, Rule, Stack, Target
from securityhub_actions.cli.assembly.reading import app_of, read_app
from securityhub_actions.cli.assembly.values import is_known, shown, unknown_names

__all__ = [
    "Action",
    "App",
    "AssemblyError",
    "Rule",
    "Stack",
    "Target",
    "app_of",
    "is_known",
    "read_app",
    "read_templates",
    "shown",
    "unknown_names",
]
