"""Synthesizes the app of a git revision, in a temporary work tree."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from securityhub_actions.cli.errors import CommandError, ExitCode

DEFAULT_SYNTH_COMMAND: Final = "npx --yes aws-cdk@2 synth --quiet --output {output}"
_PLACEHOLDER: Final = "{output}"
_ERROR: Final = re.compile(r"\w*Error\b|npm error (?!A complete log)")
_USUAL_OUTPUT: Final = "cdk.out"
_INSTALLED: Final = ("node_modules", ".venv")


@contextmanager
def synthesized(revision: str, *, command: str) -> Iterator[Path]:
    """Check out a revision of the repository, run a command there, and yield the folder with the templates.

    The work tree is removed at the end. The command runs the code of the revision, with the packages that are
    installed beside the app here, in `node_modules` and `.venv`.

    Args:
        revision: A branch, tag, or commit.
        command: The command that synthesizes the app. `{output}` in it stands for the folder to write;
            without it, the command writes `cdk.out`.

    Raises:
        CommandError: It's no revision, or the command fails.
    """
    commit = _commit(revision)
    # The app can be in a folder of the repository.
    inside = _git("rev-parse", "--show-prefix").strip()
    with tempfile.TemporaryDirectory(prefix="securityhub-actions-") as temporary:
        tree, output = Path(temporary, "tree"), Path(temporary, "output")
        _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            folder = tree / inside
            if not folder.is_dir():
                raise CommandError(f"{revision} has no folder {inside}. Run the command where the app is.")
            _link_installed(Path.cwd(), folder)
            _run(command.replace(_PLACEHOLDER, shlex.quote(str(output))), folder, revision)
            yield output if _PLACEHOLDER in command else folder / _USUAL_OUTPUT
        finally:
            # What the command wrote isn't known to git.
            shutil.rmtree(tree, ignore_errors=True)
            _git("worktree", "prune")


def _link_installed(here: Path, folder: Path) -> None:
    """Link what is installed beside the app, which git doesn't know. Without it, npx would download a CLI."""
    for name in _INSTALLED:
        if (here / name).is_dir() and not (folder / name).exists():
            (folder / name).symlink_to((here / name).resolve(), target_is_directory=True)


def _commit(revision: str) -> str:
    known = "Specify a folder of templates, a template, or a git revision, such as `main` or `HEAD~1`."
    if shutil.which("git") is None:
        raise CommandError(f"{revision} does not exist, and git is not installed. {known}")
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except CommandError as error:
        raise CommandError(
            f"{revision} is neither a file or folder nor a revision of a git repository here. {known}"
        ) from error


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - no shell, and the revision can't be taken for an option
        ["git", *arguments],  # noqa: S607 - the user's own git
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"git {arguments[0]} failed: {_last_line(done.stderr)}", code=ExitCode.FAILED)
    return done.stdout


def _run(command: str, folder: Path, revision: str) -> None:
    words = _words(command)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
            words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise CommandError(
            f"`{words[0]}` can't be run: {error.strerror}. Specify another command with --synth-command.",
        ) from error
    if done.returncode:
        reason = _last_line(done.stderr) or _last_line(done.stdout) or "it printed nothing"
        raise CommandError(
            f"`{command}` failed for {revision} with exit code {done.returncode}: {reason}. Synthesize it "
            "yourself and specify the folder, or specify another command with --synth-command.",
            code=ExitCode.FAILED,
        )


def _words(command: str) -> Sequence[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise CommandError(f"--synth-command {command!r} isn't a command: {error}.") from error
    if not words:
        raise CommandError("--synth-command is empty. Specify the command that synthesizes the app.")
    return words


def _last_line(text: str) -> str:
    """The last line, or the last one that names an error: a trace of Node.js goes on after it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [""])[-1]
