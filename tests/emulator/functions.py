"""The code of Lambda functions on the embedded AWS."""

from __future__ import annotations

import io
import zipfile


def zipped(code):
    """Return the archive of a function whose handler is in `index.py`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", code)
    return content.getvalue()
