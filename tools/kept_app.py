"""Keeps a synthesized app for as long as nothing changes that it was synthesized from.

The CDK CLI synthesizes and checks an app each time, unless `--app` names a folder with a synthesized one.
Source: https://docs.aws.amazon.com/cdk/v2/guide/deploy.html
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tools.cdk import ROOT
from tools.setup_env import STAMP

# `.venv` is represented by its stamp, which tells everything that is installed in it apart. The last one is
# the user's own context, which the CDK CLI adds.
_FILES: Final = (
    ROOT / "app.py",
    ROOT / "cdk.json",
    ROOT / "cdk.context.json",
    ROOT / "settings.toml",
    STAMP,
    Path.home() / ".cdk.json",
)
_FOLDERS: Final = ("constructs", "lambda", "stacks", "tools")
_UNFINISHED: Final = "unfinished-"


def kept_app(folder: Path, settings: Path) -> Path:
    """Return where the app is kept that today's files and a settings file synthesize to.

    Args:
        folder: Where apps are kept.
        settings: The file with what differs from settings.toml.

    Returns:
        A folder in that folder, which exists only if this app was synthesized before.
    """
    digest = hashlib.sha256()
    for file in [*_FILES, settings, *_sources()]:
        # With its name and its length, so that what moves from one file to the next counts too.
        content = file.read_bytes() if file.is_file() else None
        name = "settings" if file == settings else str(file)
        digest.update(f"{name}\0{None if content is None else len(content)}\0".encode())
        digest.update(content or b"")
    return folder / digest.hexdigest()[:32]


def keep_app(place: Path, synthesize: Callable[[Path], None]) -> None:
    """Synthesize an app and keep it, instead of those that were kept before.

    Args:
        place: Where to, from `kept_app`.
        synthesize: Writes the app into an empty folder. If it fails, nothing is kept.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    earlier = [found for found in place.parent.iterdir() if not found.name.startswith(_UNFINISHED)]
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=_UNFINISHED) as made:
        app = Path(made, "app")
        app.mkdir()
        synthesize(app)
        # Another process may have been faster, with the same result.
        with contextlib.suppress(OSError):
            app.rename(place)
    for found in earlier:
        if found != place:
            shutil.rmtree(found, ignore_errors=True)


def _sources() -> Iterator[Path]:
    for name in _FOLDERS:
        for file in sorted(ROOT.joinpath(name).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
