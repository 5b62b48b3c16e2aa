"""Ticket trackers of a test, for stacks whose settings demand https."""

from __future__ import annotations

import json


def connect(aws, stack, vendors, secrets):
    """Let a ticketing stack's function reach local servers, and store what it needs to sign in.

    Args:
        aws: The embedded AWS.
        stack: The stack, before its app is synthesized.
        vendors: The servers.
        secrets: The name of the secret of each tracker.
    """
    for name, value in vendors.environment(*secrets).items():
        if not name.endswith("_SECRET"):
            stack.function.add_environment(name, value)
    for tracker, name in secrets.items():
        aws.client("secretsmanager").create_secret(
            Name=name, SecretString=json.dumps(vendors.server(tracker).secret)
        )
