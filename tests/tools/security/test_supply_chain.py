"""The list of what is released has all of it, as it's locked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from securityhub_actions import __version__
from tools import setup_env
from tools.cdk import ROOT
from tools.security import environments, supply_chain

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


@pytest.mark.parametrize("module", [setup_env, environments])
def test_what_is_locked_is_installed_with_its_hashes_only(module, monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(module, "run", lambda *command, **_: commands.append(command))
    monkeypatch.setattr(module, "cached_first", lambda *several: commands.extend(several))
    monkeypatch.setattr(setup_env, "cache_folder", lambda: tmp_path)
    if module is setup_env:
        setup_env.install_uv()
        setup_env.install_python_packages()
    else:
        environments.build(tmp_path, tmp_path / "some.lock")
    locked = [one for one in commands if "-r" in one]
    assert len(locked) >= 2
    assert [one for one in locked if "--require-hashes" not in one] == []
    # What else is installed is this project itself, without what it needs.
    others = [one for one in commands if "install" in one and one not in locked]
    assert [one for one in others if "--no-deps" not in one] == []


def test_every_npm_package_is_pinned_with_its_hash_and_installed_as_the_lock_says(monkeypatch):
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, one in packages.items() if name and "integrity" not in one] == []
    commands = []
    monkeypatch.setattr(setup_env, "npm", lambda: ("npm",))
    monkeypatch.setattr(setup_env, "cached_first", lambda *several: commands.extend(several))
    setup_env.install_cdk_cli()
    assert {one[1] for one in commands} == {"ci"}
