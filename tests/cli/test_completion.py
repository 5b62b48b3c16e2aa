"""Shells complete commands, options, and the names of a synthesized app."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from securityhub_actions.cli.commands import run

PROGRAM = Path(sys.executable).with_name("securityhub-actions")
RULES = ["Security/Critical/Rule", "Security/Ticket/Rule"]


@pytest.fixture
def completed(capsys, monkeypatch):
    """A function that returns what bash is offered for a command line."""

    def offered(line):
        words = line.split(" ")
        monkeypatch.setenv("_SECURITYHUB_ACTIONS_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit):
            run([])
        return [one.partition(",")[2] for one in capsys.readouterr().out.split()]

    return offered


def test_commands_are_completed(completed):
    assert completed("securityhub-actions re") == ["review", "report"]
    assert completed("securityhub-actions dead-letters re") == ["replay"]


def test_options_and_their_values_are_completed(completed):
    assert completed("securityhub-actions findings --sev") == ["--severity", "--severity-score"]
    assert completed("securityhub-actions findings --sort up") == ["updated"]
    assert completed("securityhub-actions --ver") == ["--version"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("press T", ["Ticket"]),
        ("actions ", ["Ticket"]),
        ("rules Security/", RULES),
        ("explain --rule Security/T", RULES[1:]),
        ("dead-letters list Sec", ["Security"]),
        ("doctor ", ["Security"]),
        ("backfill Security-C", ["Security-CriticalRule51D6A704"]),
        ("backfill Security-T", []),
        ("rules --stack S", ["Security"]),
        ("rules --stack X", []),
    ],
)
def test_names_of_the_synthesized_app_are_completed(completed, app, monkeypatch, line, names):
    monkeypatch.chdir(app.parent)
    assert sorted(completed(f"securityhub-actions {line}")) == names


def test_the_template_of_the_command_line_is_the_one_that_is_read(completed, app, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert sorted(completed(f"securityhub-actions explain --template {app} --rule ")) == RULES


def test_without_a_synthesized_app_nothing_is_offered_and_nothing_fails(completed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert completed("securityhub-actions press ") == []


def test_bash_completes_with_the_printed_script(app):
    script = f"""
        PATH={shlex.quote(str(PROGRAM.parent))}:$PATH
        source <(securityhub-actions completion bash)
        COMP_WORDS=(securityhub-actions press T); COMP_CWORD=2
        $(complete -p securityhub-actions | sed 's/.*-F \\([^ ]*\\).*/\\1/') securityhub-actions T press
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(  # noqa: S603 - this test's own script
        ["/bin/bash", "-c", script],
        cwd=app.parent,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("Ticket\n", "")


@pytest.mark.parametrize(
    ("shell", "registers"), [("zsh", "compdef"), ("fish", "complete --no-files --command")]
)
def test_other_shells_have_scripts_that_call_the_command(cli, shell, registers):
    ran = cli("completion", shell)
    assert (ran.code, registers in ran.out) == (0, True)
    assert f"_SECURITYHUB_ACTIONS_COMPLETE={shell}_complete" in ran.out


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_names_with_what_they_are(app, capsys, monkeypatch, shell):
    monkeypatch.chdir(app.parent)
    monkeypatch.setenv("_SECURITYHUB_ACTIONS_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "securityhub-actions press T")
    monkeypatch.setenv("COMP_CWORD", "2" if shell == "zsh" else "T")
    with pytest.raises(SystemExit):
        run([])
    out = capsys.readouterr().out
    assert "Ticket" in out
    assert "Open ticket" in out


def test_an_unknown_shell_is_refused_with_those_that_there_are(cli):
    ran = cli("completion", "tcsh")
    assert (ran.code, "'bash', 'zsh', 'fish'" in ran.err, ran.err.count("\n")) == (2, True, 1)
