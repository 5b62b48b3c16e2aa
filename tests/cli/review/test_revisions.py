"""A git revision is synthesized in a temporary work tree, which is removed again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.cdk import ROOT

SYNTH = """import json, pathlib, sys
folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "cdk.out")
folder.mkdir(parents=True, exist_ok=True)
queue = {"Type": "AWS::SQS::Queue", "Properties": json.loads(pathlib.Path("queue.json").read_text())}
(folder / "S.template.json").write_text(json.dumps({"Resources": {"Queue": queue}}))
"""


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the test's own
    return done.stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with an app in a folder, which is the current one. Its queue changed since HEAD."""
    folder = tmp_path / "repository" / "app"
    folder.mkdir(parents=True)
    (folder / "synth.py").write_text(SYNTH)
    (folder / "queue.json").write_text(json.dumps({"MessageRetentionPeriod": 1209600}))
    git(folder, "init", "--quiet", "--initial-branch", "main", "..")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Add the app")
    (folder / "queue.json").write_text(json.dumps({"MessageRetentionPeriod": 86400}))
    monkeypatch.chdir(folder)
    subprocess.run([sys.executable, "synth.py"], check=True)
    return folder


@pytest.mark.parametrize("arguments", ["", " {output}"], ids=["writes cdk.out", "writes where it is told"])
def test_the_base_can_be_a_revision(cli, repository, arguments):
    printed = cli("review", "main", "--synth-command", f"{sys.executable} synth.py{arguments}")
    assert "Retention shortened: S/Queue: 14 days -> 1 days" in printed.out
    assert git(repository, "worktree", "list").count("\n") == 1


CDK_APP = """import json, os, pathlib
folder = pathlib.Path(os.environ["CDK_OUTDIR"])
folder.mkdir(parents=True, exist_ok=True)
queue = {"Type": "AWS::SQS::Queue", "Properties": json.loads(pathlib.Path("queue.json").read_text())}
(folder / "S.template.json").write_text(json.dumps({"Resources": {"Queue": queue}}))
stack = {
    "type": "aws:cloudformation:stack",
    "environment": "aws://unknown-account/unknown-region",
    "properties": {"templateFile": "S.template.json"},
}
(folder / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": {"S": stack}}))
"""


def test_by_default_the_cdk_that_is_installed_beside_the_app_synthesizes_the_revision(
    cli, repository, monkeypatch
):
    (repository / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    (repository / "synth.py").write_text(CDK_APP)
    (repository / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} synth.py"}))
    (repository / "queue.json").write_text(json.dumps({"MessageRetentionPeriod": 1209600}))
    git(repository, "add", "synth.py", "cdk.json", "queue.json")
    git(repository, "commit", "--quiet", "--message", "Let the CDK synthesize the app")
    # As in an activated environment, which has Node.js.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("npm_config_offline", "true")
    printed = cli("review", "main")
    assert "Retention shortened: S/Queue: 14 days -> 1 days" in printed.out, printed
    assert (ROOT / "node_modules" / ".bin" / "cdk").exists()


def test_of_a_long_trace_the_line_with_the_error_is_told(cli, repository):
    (repository / "fails.sh").write_text(
        "echo 'Error: no module' >&2; echo '  at main' >&2; echo 'Node.js v24' >&2; exit 1"
    )
    printed = cli("review", "HEAD", "--synth-command", f"sh {repository / 'fails.sh'}")
    assert "with exit code 1: Error: no module. Synthesize" in printed.err


def test_of_what_npm_says_the_line_with_the_reason_is_told(cli, repository):
    (repository / "fails.sh").write_text(
        "echo 'npm error npx canceled due to missing packages' >&2\n"
        "echo 'npm error A complete log of this run can be found in: /x.log' >&2\nexit 1"
    )
    printed = cli("review", "HEAD", "--synth-command", f"sh {repository / 'fails.sh'}")
    assert "with exit code 1: npm error npx canceled due to missing packages. Synthesize" in printed.err


def test_a_command_that_fails_is_told_with_its_last_line(cli, repository):
    program = "import sys; sys.exit('it is broken')"
    printed = cli("review", "HEAD", "--synth-command", f'{sys.executable} -c "{program}"')
    assert (printed.code, printed.err.count("\n")) == (3, 1)
    assert "failed for HEAD with exit code 1: it is broken. Synthesize it yourself" in printed.err
    assert git(repository, "worktree", "list").count("\n") == 1


@pytest.mark.parametrize(
    ("base", "command", "told"),
    [
        ("nowhere", "true", "nowhere is neither a file or folder nor a revision"),
        ("--force", "true", "No such option"),
        ("main", "no-such-program", "`no-such-program` can't be run: No such file or directory"),
        ("main", "", "--synth-command is empty"),
        ("main", "'", "--synth-command \"'\" isn't a command: No closing quotation"),
        ("main", "true", "cdk.out does not exist"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_is_wrong_is_told_on_one_line(cli, base, command, told):
    printed = cli("review", base, "--synth-command", command)
    assert printed.code == 2
    assert printed.err.count("\n") == 1
    assert told in printed.err


def test_outside_of_a_repository_the_base_has_to_be_a_folder(cli, synthesized, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = cli("review", "main", "--template", synthesized)
    assert "main is neither a file or folder nor a revision of a git repository here" in printed.err
