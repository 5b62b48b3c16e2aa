"""Filters that select the findings for a rule. They are validated and compiled to event patterns.

In addition to plain values, fields accept the conditions of :mod:`securityhub_actions.patterns`:
``Prefix``, ``Suffix``, ``Wildcard``, ``EqualsIgnoreCase``, ``AnythingBut``, ``Numeric``, and ``Exists``.
"""

from __future__ import annotations

from securityhub_actions.filters.finding_filter import FindingFilter
from securityhub_actions.filters.ocsf_finding_filter import OcsfFindingFilter
from securityhub_actions.patterns import (
    AnythingBut,
    EqualsIgnoreCase,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)

__all__ = [
    "AnythingBut",
    "EqualsIgnoreCase",
    "Exists",
    "FindingFilter",
    "Numeric",
    "OcsfFindingFilter",
    "Prefix",
    "Suffix",
    "Wildcard",
]
