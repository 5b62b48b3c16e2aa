"""Keep a release's synthesized app for the test of upgrades: templates and Lambda code, without layers.

    git switch --detach v0.1.0 && make setup
    .venv/bin/python -m tools.cdk synth --quiet -c settings=SETTINGS.toml --output out
    git switch - && make setup
    .venv/bin/python -m tools.release_archive out tests/e2e/releases/0.1.0.zip

`tests/e2e/test_upgrade.py` says which settings it needs. Layers are left out because they are large and made
of packages that their METADATA names; a note takes their place.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NOTE: Final = "The layer of this release is left out.\n"
_LEFT_OUT: Final = ("tree.json", "validation-report.json")
_THEN: Final = (1980, 1, 1, 0, 0, 0)


def archive(assembly: Path, target: Path) -> None:
    """Write what a deployment needs of a synthesized app into a ZIP file, the same bytes for the same app.

    Args:
        assembly: The folder that the CDK CLI wrote.
        target: The file.

    Raises:
        FileNotFoundError: The folder holds no synthesized app.
    """
    if not (assembly / "manifest.json").exists():
        raise FileNotFoundError(f"{assembly} holds no manifest.json. Give the folder of `--output`.")
    with zipfile.ZipFile(target, "w") as file:
        for name, content in sorted(_contents(assembly)):
            file.writestr(zipfile.ZipInfo(name, _THEN), content, compress_type=zipfile.ZIP_DEFLATED)


def _contents(assembly: Path) -> Iterator[tuple[str, bytes]]:
    layers = {folder.parent for folder in assembly.glob("asset.*/python")}
    for layer in layers:
        yield f"{layer.name}/NOTE", _NOTE.encode()
    for path in assembly.rglob("*"):
        is_of_layer = any(path.is_relative_to(layer) for layer in layers)
        if path.is_file() and not is_of_layer and path.name not in _LEFT_OUT:
            yield str(path.relative_to(assembly)), path.read_bytes()


def main() -> None:
    """Archive the folder that the command line names."""
    parser = argparse.ArgumentParser(description=archive.__doc__)
    parser.add_argument("assembly", type=Path, help="the folder with the synthesized app")
    parser.add_argument("target", type=Path, help="the ZIP file to write")
    arguments = parser.parse_args()
    archive(arguments.assembly, arguments.target)


if __name__ == "__main__":
    main()
