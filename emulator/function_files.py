"""The files of Lambda functions, which MiniStack extracts for each environment of a function anew.

Here, what has been extracted once is linked into the environments. As on AWS, functions share the files of a
layer, and Python compiles them only once.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ministack.core import lambda_runtime

_FOLDER: Final = "function-files"


class _Archive(zipfile.ZipFile):
    """The code of a function, or a layer."""

    def extractall(self, path: Any = None, *more: Any) -> None:  # noqa: ANN401 - the class's own
        """Link to the files, extracted if they haven't been.

        Files of Node.js are extracted each time: it finds modules by where files are, not by links to them.
        """
        if not any(name.endswith(".py") for name in self.namelist()):
            super().extractall(path, *more)
            return
        for one in self._extracted().iterdir():
            Path(path, one.name).symlink_to(one)

    def _extracted(self) -> Path:
        """The folder with the files, in the folder for temporary files that goes with the server."""
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        folder = Path(tempfile.gettempdir(), _FOLDER, digest)
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            made = tempfile.mkdtemp(dir=folder.parent)
            super().extractall(made)
            try:
                Path(made).rename(folder)
            except OSError:  # another environment was faster
                if not folder.exists():
                    raise
        return folder


def register() -> None:
    """Let the environments of functions share files, for this process."""
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=_Archive,
        BadZipFile=zipfile.BadZipFile,
        LargeFileError=zipfile.LargeZipFile,  # by the name that MiniStack gives it
    )
