"""Doing a piece of work once, whatever is delivered how often."""

from __future__ import annotations


class WorkInProgressError(Exception):
    """Another invocation is doing the work right now."""
