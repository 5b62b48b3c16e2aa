"""The list of what is released has all of it, as it's locked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from securityhub_actions import __version__
from tools.cdk import ROOT
from tools.security import supply_chain

PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([\w.!+-]+)", re.MULTILINE)


def of_one_form(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(file):
    """The names and versions in a file; of some, Python's version decides which."""
    return {(of_one_form(name), version) for name, version in PINNED.findall((ROOT / file).read_text())}


@pytest.mark.long
def test_it_lists_the_requirements_and_what_they_need_in_their_locked_versions(tmp_path):
    written = supply_chain.write_sbom(tmp_path)
    document = json.loads(written.read_text())
    assert written.name == f"securityhub-actions-{__version__}.cdx.json"
    assert (document["bomFormat"], document["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    listed = {(of_one_form(one["name"]), one["version"]) for one in document["components"]}
    assert pinned("requirements.txt") <= listed <= pinned("requirements-dev.lock")
    assert "pytest" not in dict(listed)


def test_every_audited_lock_has_hashes_for_all_that_it_pins():
    for lock in supply_chain._AUDITED:
        entries = re.split(r"\n(?=[a-z0-9])", Path(lock).read_text().strip())
        assert entries
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
