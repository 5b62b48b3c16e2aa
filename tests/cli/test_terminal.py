"""On a terminal, what takes long shows its progress, beside the output."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.deployed import enable_security_hub

EVENT = Path(__file__).parents[1] / "events" / "findings_imported.json"
ESCAPE = "\x1b["


@dataclass(frozen=True)
class Shown:
    """What a command printed: to the standard output, and to the terminal."""

    code: int
    out: str
    terminal: str


def on_terminal(*arguments, folder, output_too=False, **environment):
    """Run the command with the standard error on a terminal of 80 columns, or the output as well."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "securityhub_actions.cli", *map(str, arguments)]
    settings = {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(  # noqa: S603 - the project's own command
        command,
        cwd=folder,
        env={**inherited, **settings},
        stdin=subprocess.DEVNULL,
        stdout=theirs if output_too else subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = []
    reader = threading.Thread(target=_read, args=(ours, seen))
    reader.start()
    out = "" if output_too else process.stdout.read().decode()
    code = process.wait()
    reader.join()
    os.close(ours)
    return Shown(code, out, b"".join(seen).decode())


def _read(terminal, into):
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # Linux tells the end of a terminal in this way
            return
        if not part:
            return
        into.append(part)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """A folder of findings."""
    folder = tmp_path_factory.mktemp("findings")
    (finding,) = json.loads(EVENT.read_text())["detail"]["findings"]
    for number in range(30):
        (folder / f"{number}.json").write_text(json.dumps({**finding, "Id": str(number)}))
    return folder


@pytest.mark.parametrize(
    ("arguments", "progress"),
    [
        (("explain", "FINDINGS"), "events and findings"),
        (("explain", "FINDINGS", "--json"), "events"),
        (("report", "--output", "page.html"), "Writing the page"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_progress_is_shown_beside_the_output(app, findings, tmp_path, arguments, progress):
    given = [findings if one == "FINDINGS" else one for one in arguments]
    shown = on_terminal(*given, "--template", app, folder=tmp_path)
    assert shown.code in {0, 1}
    assert progress in shown.terminal
    assert (ESCAPE in shown.out, progress in shown.out) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "progress"),
    [
        (("doctor",), "checks"),
        (("rules", "--live"), "rules"),
        (("findings", "--control", "None.1"), "findings"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_progress_is_shown_while_an_account_is_asked(embedded_aws, tmp_path, arguments, progress):
    enable_security_hub(embedded_aws)
    shown = on_terminal(*arguments, folder=tmp_path, **embedded_aws.settings())
    assert shown.code in {0, 1}, shown
    assert progress in shown.terminal
    assert ESCAPE not in shown.out


def test_without_a_terminal_there_is_no_progress(cli, app, findings):
    ran = cli("explain", findings, "--template", app)
    assert (ran.err, ESCAPE in ran.out) == ("", False)


@pytest.mark.parametrize(("settings", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colors_are_for_terminals_and_can_be_switched_off(app, tmp_path, settings, colored):
    shown = on_terminal("explain", EVENT, "--template", app, folder=tmp_path, output_too=True, **settings)
    assert "no match" in shown.terminal
    assert (f"{ESCAPE}33m" in shown.terminal) is colored


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_no_line_is_wider_than_the_terminal(app, tmp_path, columns):
    shown = on_terminal(
        "rules",
        "--template",
        app,
        folder=tmp_path,
        output_too=True,
        COLUMNS=columns,
        LINES="",
        NO_COLOR="1",
        TERM="dumb",
    )
    lines = [line.rstrip() for line in shown.terminal.splitlines()]
    assert max(map(len, lines)) <= int(columns)
