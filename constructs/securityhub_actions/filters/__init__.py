"""Filters: which findings a rule is for, in words of Security Hub, checked and compiled to event patterns.

Beside plain values, fields take the conditions of :mod:`securityhub_actions.patterns`: ``Prefix``,
``Suffix``, ``Wildcard``, ``EqualsIgnoreCase``, ``AnythingBut``, ``Numeric`` and ``Exists``.
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
