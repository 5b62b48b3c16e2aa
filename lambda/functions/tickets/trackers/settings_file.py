"""The settings of trackers that don't fit into environment variables.

They are a file in a layer of the function, so that they change together with its configuration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from invocation.environment import wrong

VARIABLE: Final = "TRACKER_SETTINGS"
"""The environment variable with the file's path, relative to a folder of `sys.path`."""


def read_settings(environment: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings by the trackers' names in `TRACKERS`, or none if there is no file.

    Raises:
        ValueError: The file that the variable names doesn't exist, or isn't a JSON object.
    """
    name = environment.get(VARIABLE, "")
    if not name:
        return {}
    found = next((path for folder in sys.path if (path := Path(folder) / name).is_file()), None)
    try:
        settings = json.loads(found.read_text(encoding="utf-8")) if found else None
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise wrong(VARIABLE, name, "the path of a file with a JSON object in a layer's folder python")
    return settings
