from __future__ import annotations

import shutil

import pytest

from tools import kept_app as module
from tools.kept_app import keep_app, kept_app


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project whose files can be changed."""
    root = tmp_path / "project"
    for name in ("app.py", "cdk.json", "settings.toml", "stacks/one.py", "lambda/functions/one/handler.py"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (root / "demo.toml").write_text("[routing]")
    files = [
        root / file.relative_to(module.ROOT) for file in module._FILES if file.is_relative_to(module.ROOT)
    ]
    monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(module, "_FILES", (*files, tmp_path / "home" / ".cdk.json"))
    return root


@pytest.fixture
def place(project, tmp_path):
    return lambda settings="demo.toml": kept_app(tmp_path / "kept", project / settings)


def write(text):
    return lambda folder: (folder / "manifest.json").write_text(text)


def test_an_app_is_kept_as_long_as_nothing_changes(place):
    assert not place().exists()
    keep_app(place(), write("first"))
    assert (place() / "manifest.json").read_text() == "first"


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "stacks/one.py").write_text("changed"),
        lambda root: (root / "stacks/two.py").write_text(""),
        lambda root: (root / "stacks/one.py").unlink(),
        lambda root: (root / "stacks/one.py").rename(root / "stacks/other.py"),
        lambda root: (root / "lambda/functions/one/handler.py").write_text("changed"),
        lambda root: (root / "app.py").write_text("changed"),
        lambda root: (root / "cdk.json").write_text("{}"),
        lambda root: (root / "cdk.context.json").write_text("{}"),
        lambda root: (root / "settings.toml").unlink(),
        lambda root: (root / "demo.toml").write_text("[ticketing]"),
        lambda root: [(root / ".venv").mkdir(), (root / ".venv/.installed").write_text("other versions")],
        lambda root: [
            (root.parent / "home").mkdir(),
            (root.parent / "home/.cdk.json").write_text('{"context": {}}'),
        ],
    ],
)
def test_whatever_the_synthesis_reads_decides(project, place, change):
    keep_app(place(), write("first"))
    change(project)
    assert not place().exists()


def test_what_moves_from_one_file_to_the_next_counts(project, place):
    (project / "stacks/one.py").write_text("ab")
    (project / "stacks/two.py").write_text("c")
    before = place()
    (project / "stacks/one.py").write_text("a")
    (project / "stacks/two.py").write_text("bc")
    assert place() != before


def test_where_the_settings_file_lies_and_compiled_modules_do_not_count(project, place):
    before = place()
    (project / "stacks/__pycache__").mkdir()
    (project / "stacks/__pycache__/one.pyc").write_text("compiled")
    shutil.copy(project / "demo.toml", project / "copy.toml")
    assert place("copy.toml") == before


def test_only_the_last_app_is_kept(project, place):
    keep_app(place(), write("first"))
    first = place()
    (project / "app.py").write_text("changed")
    keep_app(place(), write("second"))
    assert (place() / "manifest.json").read_text() == "second"
    assert not first.exists()


def test_a_failed_synthesis_leaves_nothing(place):
    def fail(folder):
        write("half")(folder)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        keep_app(place(), fail)
    assert list(place().parent.iterdir()) == []


def test_of_two_processes_that_synthesize_the_same_the_first_one_to_end_wins(place):
    def slow(folder):
        keep_app(place(), write("faster"))
        write("slower")(folder)

    keep_app(place(), slow)
    assert (place() / "manifest.json").read_text() == "faster"
    assert list(place().parent.iterdir()) == [place()]
