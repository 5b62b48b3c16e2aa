"""Valid settings files as texts, and the same with one thing replaced."""

from __future__ import annotations

import tomllib

from tests.shipped_settings import SHIPPED_SETTINGS_FILE

VALID = """
[routing.archive]
enabled = true
retention_days = 400
filter = { workflow_status = "ANY", record_state = "ANY" }

[routing.critical]
enabled = true
emails = []
filter = { severity = "CRITICAL" }
slack = { enabled = false, channel = "C024BE91L", secret_name = "slack" }

[routing.high]
enabled = true
filter = { severity = "HIGH" }
"""
# The rest that is shipped, so that each of these files lacks nothing but what its test takes away.
REST = "\n[remediation]" + SHIPPED_SETTINGS_FILE.read_text(encoding="utf-8").partition("\n[remediation]")[2]


def changed(old, new):
    assert VALID.count(old) == 1, f"{old} must stand once in VALID"
    return VALID.replace(old, new)


def with_filter(table):
    return changed('{ severity = "HIGH" }', table)


def with_rest(old, new):
    """A valid file with one text replaced in what doesn't concern routing."""
    assert REST.count(old) == 1, f"{old} must stand once in REST"
    return tomllib.loads(VALID + REST.replace(old, new))
