"""Remediations for AWS Identity and Access Management."""
