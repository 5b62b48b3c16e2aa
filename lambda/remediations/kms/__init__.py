"""Remediations for AWS KMS."""
