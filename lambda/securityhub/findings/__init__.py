"""Writes workflow statuses, notes, and user-defined fields to findings, for all functions."""
