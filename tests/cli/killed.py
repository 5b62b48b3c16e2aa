"""What programs of tests that are killed or interrupted in the middle begin with."""

from __future__ import annotations

from typing import Final

KILLING: Final = """
import os, signal, sys

# Where the tests run as a shell's background job, their programs inherit that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
calls = 0
def at_fourth_call(inner, number):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls == 4:
            os.kill(os.getpid(), number)
        return inner(*arguments, **named)
    return call

def killing(inner):
    return at_fourth_call(inner, signal.SIGKILL)

def interrupting(inner):
    return at_fourth_call(inner, signal.SIGINT)
"""
"""`killing` wraps a function whose fourth call ends the process; with `interrupting`, Ctrl-C comes then."""
