"""Validate, match, explain, and compare EventBridge event patterns offline, without AWS or the AWS CDK."""

from __future__ import annotations

from securityhub_actions.patterns.analysis import may_overlap, subsumes, unreachable_reason
from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Cidr,
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.patterns.errors import EngineFaultWarning, InvalidPatternError
from securityhub_actions.patterns.event_pattern import MOST_CHARACTERS, EventPattern, Match, Mismatch
from securityhub_actions.patterns.rule_index import RuleIndex

__all__ = [
    "MOST_CHARACTERS",
    "AnythingBut",
    "Cidr",
    "Condition",
    "EngineFaultWarning",
    "EqualsIgnoreCase",
    "EventPattern",
    "Exact",
    "Exists",
    "InvalidPatternError",
    "Match",
    "Mismatch",
    "Numeric",
    "Prefix",
    "RuleIndex",
    "Suffix",
    "Wildcard",
    "may_overlap",
    "subsumes",
    "unreachable_reason",
]
