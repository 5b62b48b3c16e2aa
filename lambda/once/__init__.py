"""Doing a piece of work once, whatever is delivered how often."""


class WorkInProgressError(Exception):
    """Another invocation is doing the work right now."""
