"""Environments of their own for tools whose dependencies don't fit those of the project."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final

from tools.setup_env import ROOT, cached_first, run

UV: Final = (sys.executable, "-m", "uv", "--no-progress", "--no-config")
_FOLDER: Final = Path(__file__).parent


def environment(name: str) -> Path:
    """Return the folder of an environment's programs, built from its lock file if that has changed.

    Args:
        name: The name of its requirements in this folder: `checkov`, whose boto3 is older than the project's,
            or `supply-chain`.
    """
    lock, folder = _FOLDER / f"{name}.lock", ROOT / f".venv-{name}"
    stamp = folder / ".installed"
    wanted = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"security: building {folder.name}", flush=True)
        build(folder, lock)
        stamp.write_text(wanted)
    return folder / "bin"


def build(folder: Path, lock: Path) -> None:
    """Make an environment with exactly what a lock file pins.

    Args:
        folder: The environment. What is in it is deleted.
        lock: The lock file.
    """
    run(*UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    sync = (*UV, "pip", "install", "--quiet", "--exact", "--require-hashes", "--python", folder,
            "-r", lock)  # fmt: skip
    cached_first((*sync, "--offline"), sync)
