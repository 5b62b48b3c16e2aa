"""Every command refuses bad input in one line, and ends cleanly when nobody reads its output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from securityhub_actions.cli.commands import cli as root

EVENT = Path(__file__).parents[1] / "events" / "findings_imported.json"
WRONG_ACCOUNT, WRONG_AGE, WRONG_REGION = "12", "soon", "Ireland"


def leaves(group, path=()):
    """Every command that does something, with the words that call it, except for those of a checkout."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        elif not command.context_settings.get("ignore_unknown_options"):
            yield (*path, name), command


COMMANDS = list(leaves(root))


def wrong_value(option):
    """A value that an option can't have, or None if any text is one."""
    if isinstance(option.type, click.types.IntParamType):
        return "many"
    if isinstance(option.type, click.Choice):
        return "nonsense"
    if option.name in {"account", "aws_account"} and not option.multiple:
        return WRONG_ACCOUNT
    return {"AGE": WRONG_AGE, "REGION": WRONG_REGION}.get(option.metavar)


def needed(command):
    """Words for the arguments that a command needs."""
    return [
        argument.type.choices[0] if isinstance(argument.type, click.Choice) else "something"
        for argument in command.params
        if isinstance(argument, click.Argument) and argument.required
    ]


CASES = [
    (*words, *needed(command), option.opts[0], value)
    for words, command in COMMANDS
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag
    if (value := wrong_value(option)) is not None
]


def refused(ran):
    return (ran.code, ran.out, ran.err.count("\n"), ran.err.startswith("error: "))


ONE_LINE = (2, "", 1, True)


@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_a_wrong_value_is_refused_in_one_line_that_names_it(cli, arguments):
    ran = cli(*arguments)
    assert refused(ran) == ONE_LINE, ran
    assert arguments[-1] in ran.err


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_an_unknown_option_is_refused_in_one_line(cli, words, command):
    ran = cli(*words, *needed(command), "--no-such-option")
    assert refused(ran) == ONE_LINE, ran
    assert "--no-such-option" in ran.err


@pytest.mark.parametrize("words", [words for words, command in COMMANDS if needed(command)], ids=" ".join)
def test_a_missing_argument_is_refused_in_one_line_that_names_it(cli, words):
    ran = cli(*words)
    assert refused(ran) == ONE_LINE, ran
    assert "Missing argument" in ran.err
    assert f"`securityhub-actions {' '.join(words)} --help`" in ran.err


def test_a_command_that_there_is_not_is_refused_in_one_line_that_lists_the_commands(cli):
    ran = cli("explane")
    assert refused(ran) == ONE_LINE, ran
    assert all(word in ran.err for word in ("'explane'", "explain", "dead-letters"))


@pytest.mark.parametrize(
    "words",
    [words for words, command in COMMANDS if any(one.name == "template" for one in command.params)],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "content", [None, "", "[]", "{", '{"Resources": []}', '{"Resources": {"A": 1}}', "\x00", "[" * 9_000]
)
def test_a_template_that_cannot_be_read_is_refused_in_one_line(cli, of_nobody, tmp_path, words, content):
    file = tmp_path / "S.template.json"
    if content is not None:
        file.write_text(content)
    given = [str(EVENT)] if words == ("explain",) else []
    ran = cli(*words, *given, "--template", file)
    assert refused(ran) == ONE_LINE, ran
    assert str(file) in ran.err
    assert of_nobody


@pytest.fixture
def of_nobody(monkeypatch):
    """An environment whose AWS doesn't answer."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


OF_ACCOUNT = [
    ("actions", "--live"),
    ("rules", "--live"),
    ("findings",),
    ("press", "Action", "finding"),
    ("dead-letters", "list", "Stack"),
    ("doctor",),
    ("backfill", "Rule"),
    ("apply", "Rule"),
    ("explain", "--finding", "id"),
]


@pytest.mark.parametrize("arguments", OF_ACCOUNT, ids=" ".join)
def test_an_unknown_profile_is_refused_in_one_line(cli, of_nobody, app, monkeypatch, arguments):
    monkeypatch.chdir(app.parent)
    ran = cli(*arguments, "--profile", "no-such-profile")
    assert refused(ran) == ONE_LINE, ran
    assert "There is no profile 'no-such-profile'" in ran.err
    assert of_nobody


PRINTING = [
    ("--help",),
    ("findings", "--help"),
    ("completion", "bash"),
    ("events", "new", "imported", "--count", "1000"),
    ("explain", EVENT),
    ("explain", EVENT, "--json"),
    ("explain", EVENT, "--summary"),
    ("review",),
    ("review", "--markdown"),
    ("review", "--json"),
    ("report", "--output", "-"),
    ("actions",),
    ("rules", "--json"),
]


@pytest.mark.parametrize("arguments", PRINTING, ids=lambda arguments: " ".join(map(str, arguments)))
def test_it_ends_quietly_if_nobody_reads_what_it_prints(app, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "securityhub_actions.cli", *map(str, arguments)]
    done = subprocess.run(  # noqa: S603 - the project's own command
        command, cwd=app.parent, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_what_head_leaves_is_whole_lines(app):
    script = f"{sys.executable} -m securityhub_actions.cli rules --json | head -n 3; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(  # noqa: S603 - this test's own script
        ["/bin/bash", "-c", script], cwd=app.parent, capture_output=True, text=True, check=False
    )
    *lines, code = done.stdout.splitlines()
    assert (lines[0], len(lines), code in {"0", "141"}, done.stderr) == ("[", 3, True, "")
