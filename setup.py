"""Makes the links of the README absolute in the sdist and the wheel; pyproject.toml has everything else.

PyPI shows the README alone: relative links lead nowhere there, and diagrams are not drawn. setuptools can
read a README from a file but not change it, so a setup script has to.
Source: https://setuptools.pypa.io/en/latest/userguide/pyproject_config.html#dynamic-metadata
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from setuptools import setup

ROOT: Final = Path(__file__).resolve().parent
_LINK: Final = re.compile(r"\]\((?![a-z]+:|#)(?P<path>[^)\s]+)\)")
_DIAGRAM: Final = re.compile(r"^```mermaid\n.*?^```\n\n", re.MULTILINE | re.DOTALL)


def readme_for_pypi() -> str:
    """Return the README with absolute links and without diagrams."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = f"{project['urls']['Repository']}/blob/main"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return _LINK.sub(lambda link: f"]({base}/{link['path']})", _DIAGRAM.sub("", text))


setup(long_description=readme_for_pypi(), long_description_content_type="text/markdown")
