"""Run the CDK CLI against the embedded AWS, as `cdk` runs against the real one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws
from tools.cdk import ROOT, cdk_command, toolchain_environment

_TAIL_LINES: Final = 40


class DeploymentFailedError(RuntimeError):
    """The CDK CLI ended with an error; the message holds the end of its output."""


def bootstrap(
    aws: EmbeddedAws,
    *,
    account: str = DEFAULT_ACCOUNT,
    region: str = DEFAULT_REGION,
    trust: str | None = None,
) -> None:
    """Run `cdk bootstrap` for an account and Region of the embedded AWS.

    Args:
        aws: Where to.
        account: The 12-digit account.
        region: The Region.
        trust: Another account that may deploy there. Default: none.

    Raises:
        DeploymentFailedError: It failed.
    """
    # In a folder without cdk.json: the CLI would otherwise synthesize the app, whose environments it is not
    # asked.
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["bootstrap", f"aws://{account}/{region}"]
        if trust:
            policy = "arn:aws:iam::aws:policy/AdministratorAccess"
            arguments += ["--trust", trust, "--cloudformation-execution-policies", policy]
        run_cdk(aws, *arguments, account=account, region=region, folder=folder)


def deploy(
    aws: EmbeddedAws,
    *stacks: str,
    app: str | Path | None = None,
    settings: Path | None = None,
    account: str = DEFAULT_ACCOUNT,
    region: str = DEFAULT_REGION,
    report: Callable[[str], None] = lambda _: None,
) -> str:
    """Run `cdk deploy`.

    Args:
        aws: Where to.
        stacks: The stacks' names. Default: all.
        app: A folder with a synthesized app. Default: this project's app, synthesized now.
        settings: A file with what differs from settings.toml, for this project's app. Default: none.
        account: The 12-digit account.
        region: The Region.
        report: Gets each line of the CLI's output as it comes.

    Returns:
        What the CLI printed.

    Raises:
        DeploymentFailedError: It failed.
    """
    arguments = ["deploy", *(stacks or ("--all",)), "--require-approval", "never", "--no-notices"]
    if app:
        return run_cdk(aws, *arguments, "--app", str(app), account=account, region=region, report=report)
    # Not to cdk.out, where the CLI lets only one process at a time synthesize.
    with tempfile.TemporaryDirectory() as folder:
        arguments += _of_this_app(folder, settings)
        return run_cdk(aws, *arguments, account=account, region=region, report=report)


def synthesize(
    aws: EmbeddedAws,
    folder: str | Path,
    *,
    settings: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Run `cdk synth` of this project's app for the default account and Region.

    Args:
        aws: Whose account it is, which the CLI asks for.
        folder: Where the templates and assets go; what `deploy` takes as `app`.
        settings: A file with what differs from settings.toml. Default: none.
        report: Gets each line of the CLI's output as it comes.

    Raises:
        DeploymentFailedError: It failed.
    """
    run_cdk(aws, "synth", "--quiet", "--no-notices", *_of_this_app(folder, settings), report=report)


def _of_this_app(folder: str | Path, settings: Path | None) -> list[str]:
    context = ["--context", f"settings={settings}"] if settings else []
    return [*context, "--output", str(folder)]


def run_cdk(
    aws: EmbeddedAws,
    *arguments: str,
    account: str = DEFAULT_ACCOUNT,
    region: str = DEFAULT_REGION,
    report: Callable[[str], None] = lambda _: None,
    folder: str | Path = ROOT,
) -> str:
    """Run the CDK CLI against the embedded AWS, in a folder, and return what it printed.

    Raises:
        DeploymentFailedError: It ended with an error.
    """
    environment = toolchain_environment(aws.environment(account=account, region=region))
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - the pinned CDK CLI
        cdk_command(*arguments),
        cwd=folder,
        env={**environment, "CI": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - narrows the type: a pipe was asked for
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            report(lines[-1])
    if process.returncode:
        tail = "\n".join(lines[-_TAIL_LINES:])
        raise DeploymentFailedError(f"cdk {' '.join(arguments)} ended with {process.returncode}:\n{tail}")
    return "\n".join(lines)
