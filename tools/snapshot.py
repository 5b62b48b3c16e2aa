"""Keep reviewed snapshots of what your settings deploy: `make snapshot SETTINGS=production.toml`.

The templates are written to a folder next to the file, such as `production.snapshot/`, without account and
Region and with the hashes of assets blanked. `make test` compares each such folder in the project's root with
what the app synthesizes by then.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tools.cdk import ROOT, toolchain_environment

_ASSET_HASH: Final = re.compile(r"\b[0-9a-f]{64}\b")
_SUFFIX: Final = ".template.json"


class SnapshotError(RuntimeError):
    """The settings or their snapshot can't be used. The message says why, and what to do."""


def snapshot_folder(settings: Path) -> Path:
    """Return the folder with the snapshot of a settings file."""
    return settings.with_suffix(".snapshot")


def reviewed_settings(folder: Path = ROOT) -> list[Path]:
    """Return the settings files in a folder that have a snapshot next to them."""
    return sorted(found.with_suffix(".toml") for found in folder.glob("*.snapshot") if found.is_dir())


def synthesize(settings: Path) -> dict[str, str]:
    """Synthesize the app with a settings file merged into settings.toml.

    Args:
        settings: The TOML file; settings.toml itself is allowed.

    Returns:
        For each stack the template's text, with the hashes of assets blanked.

    Raises:
        SnapshotError: The file doesn't exist, or the app refuses it.
    """
    if not settings.is_file():
        raise SnapshotError(
            f"{settings} does not exist. Give the path of a settings file, such as SETTINGS=production.toml. "
            f"If you deleted that file, delete {snapshot_folder(settings)} as well."
        )
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    context |= {"settings": str(settings.resolve()), "aws:cdk:disable-asset-staging": True}
    unset = ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    with tempfile.TemporaryDirectory() as folder:
        variables = {"CDK_OUTDIR": folder, "CDK_CONTEXT_JSON": json.dumps(context)}
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=toolchain_environment({**inherited, **variables}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SnapshotError(f"The app cannot be synthesized with {settings}:\n{done.stderr.strip()}")
        return {stack: _reviewable(text) for stack, text in _templates_in(Path(folder)).items()}


def write(settings: Path) -> Path:
    """Replace the snapshot of a settings file by what the app synthesizes now, and return its folder."""
    templates = synthesize(settings)
    folder = snapshot_folder(settings)
    folder.mkdir(exist_ok=True)
    for outdated in folder.glob(f"*{_SUFFIX}"):
        outdated.unlink()
    for stack, text in templates.items():
        (folder / f"{stack}{_SUFFIX}").write_text(text, encoding="utf-8")
    return folder


def differences(settings: Path) -> str:
    """Compare the snapshot of a settings file with what the app synthesizes now.

    Returns:
        A unified diff from the snapshot to the present, empty if they are equal.
    """
    folder = snapshot_folder(settings)
    before, after = _templates_in(folder), synthesize(settings)
    return "".join(
        line
        for stack in sorted({*before, *after})
        for line in difflib.unified_diff(
            before.get(stack, "").splitlines(keepends=True),
            after.get(stack, "").splitlines(keepends=True),
            fromfile=f"{folder.name}/{stack}{_SUFFIX}",
            tofile=f"{stack} as synthesized now",
        )
    )


def _templates_in(folder: Path) -> dict[str, str]:
    """Return for each stack the text of its template."""
    return {
        path.name.removesuffix(_SUFFIX): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob(f"*{_SUFFIX}"))
    }


def without_asset_hashes(template: str) -> Any:  # noqa: ANN401 - a template is JSON
    """Return a template with the hashes of assets blanked, since each change of a Lambda changes them."""
    return json.loads(_ASSET_HASH.sub("ASSET-HASH", template))


def _reviewable(template: str) -> str:
    blanked = without_asset_hashes(template)
    return json.dumps(blanked, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the snapshot of one settings file and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.snapshot", description="Write a snapshot.")
    parser.add_argument("settings", type=Path, help="the settings file, such as production.toml")
    try:
        folder = write(parser.parse_args(arguments).settings)
    except SnapshotError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {folder}. Review the differences and commit them.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
