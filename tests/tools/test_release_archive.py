from __future__ import annotations

import zipfile

import pytest

from tools.release_archive import archive


@pytest.fixture
def assembly(tmp_path):
    folder = tmp_path / "out"
    for path, content in {
        "manifest.json": "{}",
        "A.template.json": "{}",
        "tree.json": "{}",
        "asset.1/functions/handler.py": "def handle(): ...",
        "asset.2/python/library/__init__.py": "",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return folder


def test_templates_and_code_are_kept_and_layers_are_left_out(assembly, tmp_path):
    archive(assembly, tmp_path / "release.zip")
    with zipfile.ZipFile(tmp_path / "release.zip") as file:
        assert file.namelist() == [
            "A.template.json",
            "asset.1/functions/handler.py",
            "asset.2/NOTE",
            "manifest.json",
        ]


def test_the_same_app_makes_the_same_bytes(assembly, tmp_path):
    for name in ("one.zip", "two.zip"):
        archive(assembly, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_folder_without_an_app_is_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no manifest\.json\. Give the folder of `--output`"):
        archive(tmp_path, tmp_path / "release.zip")
