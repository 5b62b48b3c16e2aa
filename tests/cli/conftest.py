"""Runs the command in this process, as a user does from a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from securityhub_actions.cli.commands import run


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The JSON that it printed."""
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, monkeypatch):
    """A function that runs the command with arguments, on a page of a width."""

    def run_cli(*arguments, columns=100):
        monkeypatch.setenv("COLUMNS", str(columns))
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run_cli


@pytest.fixture
def of_account(embedded_aws, monkeypatch):
    """The embedded AWS, to which commands that need an account now go."""
    for name, value in embedded_aws.settings().items():
        monkeypatch.setenv(name, value)
    return embedded_aws
