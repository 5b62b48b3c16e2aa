"""The sdist and the wheel hold the library, the whole library and nothing but the library."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIBRARY = ROOT / "constructs" / "securityhub_actions"


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = ("build", "--offline", "--no-config", "--no-build-isolation", "--python", sys.executable)
    command = [sys.executable, "-m", "uv", *build, "--out-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this test's own
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        yield wheel


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


def library_files():
    files = (path for path in LIBRARY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(LIBRARY.parent)) for path in files}


def test_the_wheel_holds_every_file_of_the_library_and_no_other(wheel):
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == library_files()


def test_the_sdist_holds_the_library_and_what_its_build_reads(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        files = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    made_by_the_build = {name for name in files if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert files - made_by_the_build == {
        *(f"constructs/{name}" for name in library_files()),
        "LICENSE",
        "MANIFEST.in",
        "README.md",
        "pyproject.toml",
        "setup.py",
    }


def test_the_wheel_requires_the_cdk_alone(metadata):
    required = [one for one in metadata.get_all("Requires-Dist") if "extra ==" not in one]
    assert sorted(re.match(r"[\w-]+", one)[0] for one in required) == ["aws-cdk-lib", "constructs"]


def test_the_oldest_python_that_is_named_is_the_oldest_that_is_allowed(metadata):
    versions = [c.rpartition(" ")[2] for c in metadata.get_all("Classifier") if re.search(r":: 3\.\d+$", c)]
    assert metadata["Requires-Python"] == f">={versions[0]}"


def test_every_url_is_one_of_the_projects_own(metadata):
    labels = dict(one.split(", ") for one in metadata.get_all("Project-URL"))
    assert labels == PROJECT["urls"]
    assert {url.split("/")[2] for url in labels.values()} == {"github.com", "securityhub-actions.github.io"}


def test_every_link_of_the_description_is_absolute(metadata):
    links = re.findall(r"\]\(([^)\s]+)\)", metadata.get_payload())
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []


def test_every_link_of_the_description_into_the_repository_leads_to_a_file(metadata):
    base = re.escape(f"{PROJECT['urls']['Repository']}/blob/main/")
    paths = re.findall(rf"\]\({base}([^)#\s]+)", metadata.get_payload())
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_description_is_the_readme_without_the_diagram_that_no_index_draws(metadata):
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# Security Hub actions")
    assert "mermaid" not in metadata.get_payload()
