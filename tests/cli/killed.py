"""What programs of tests that are killed in the middle begin with."""

from __future__ import annotations

from typing import Final

KILLING: Final = """
import os, signal, sys

calls = 0
def killing(inner):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*arguments, **named)
    return call
"""
"""`killing` wraps a function whose fourth call ends the process."""
