"""Reads a synthesized CDK app: its stacks with their custom actions, rules, and targets."""

from __future__ import annotations

from securityhub_actions.cli.assembly.folder import AssemblyError
from securityhub_actions.cli.assembly.model import Action, App, Rule, Stack, Target
from securityhub_actions.cli.assembly.reading import read_app
from securityhub_actions.cli.assembly.values import is_known, shown, unknown_names

__all__ = [
    "Action",
    "App",
    "AssemblyError",
    "Rule",
    "Stack",
    "Target",
    "is_known",
    "read_app",
    "shown",
    "unknown_names",
]
