from __future__ import annotations

import json
import shutil

import pytest

from tools import snapshot
from tools.snapshot import differences, main, reviewed_settings, snapshot_folder, write

# Complete where it matters, so that the stacks are the same however settings.toml is configured.
SETTINGS = """
[routing]
archive = { enabled = false }
critical = { enabled = false }
high = { enabled = true }
[remediation]
enabled = false
[ticketing]
enabled = false
[alarms]
topic_arn = ""
"""
ROUTING = "SecurityHubFindingsRouting.template.json"


def copy(settings, folder):
    """Copy a settings file with its snapshot into a folder."""
    copied = folder / settings.name
    copied.write_text(settings.read_text())
    shutil.copytree(snapshot_folder(settings), snapshot_folder(copied))
    return copied


TEMPLATES = {
    "SecurityHubAnalystActions": '{"Resources": {"Function": "ASSET-HASH"}}\n',
    "SecurityHubFindingsRouting": '{"Resources": {"Queue": {}}}\n',
}


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """A settings file with its snapshot, which tests only read."""
    settings = tmp_path_factory.mktemp("reviewed") / "production.toml"
    settings.write_text(SETTINGS)
    write(settings)
    return settings


@pytest.fixture
def synthesized(monkeypatch):
    """The templates that the app seems to have, by stack. Synthesizing it takes seconds."""
    templates = dict(TEMPLATES)
    monkeypatch.setattr(snapshot, "synthesize", lambda _: templates)
    return templates


@pytest.fixture
def settings(tmp_path, synthesized):  # noqa: ARG001 - of these templates
    """A settings file with its snapshot."""
    file = tmp_path / "production.toml"
    file.write_text(SETTINGS)
    write(file)
    return file


@pytest.mark.long
def test_a_snapshot_is_a_template_for_each_stack_without_the_hashes_of_assets(reviewed):
    files = {file.name: file.read_text() for file in snapshot_folder(reviewed).iterdir()}
    assert set(files) == {"SecurityHubAnalystActions.template.json", ROUTING}
    assert all(json.loads(text)["Resources"] for text in files.values())
    assert "ASSET-HASH" in "".join(files.values())


@pytest.mark.long
def test_a_snapshot_is_equal_to_what_it_was_made_of(reviewed):
    assert differences(reviewed) == ""


def test_without_a_change_there_are_no_differences(settings):
    assert differences(settings) == ""


def test_a_changed_template_shows_in_the_differences(settings, synthesized):
    synthesized["SecurityHubFindingsRouting"] = '{"Resources": {"Queue": {"New": 1}}}\n'
    changed = [line for line in differences(settings).splitlines() if "Queue" in line]
    assert changed == ['-{"Resources": {"Queue": {}}}', '+{"Resources": {"Queue": {"New": 1}}}']


@pytest.mark.long
def test_a_changed_setting_shows_in_the_differences(reviewed, tmp_path):
    copied = copy(reviewed, tmp_path)
    copied.write_text(
        SETTINGS.replace('topic_arn = ""', 'topic_arn = "arn:aws:sns:eu-west-1:111122223333:ops"')
    )
    added = [line.strip("+ \n,") for line in differences(copied).splitlines() if line.startswith("+ ")]
    assert '"arn:aws:sns:eu-west-1:111122223333:ops"' in added


def test_a_stack_that_is_gone_leaves_the_next_snapshot(settings, synthesized):
    del synthesized["SecurityHubFindingsRouting"]
    write(settings)
    assert not (snapshot_folder(settings) / ROUTING).exists()


def test_a_settings_file_that_is_missing_is_named(tmp_path, capsys):
    assert main([str(tmp_path / "none.toml")]) == 1
    assert "none.toml does not exist. Give the path" in capsys.readouterr().err


@pytest.mark.long
def test_settings_that_the_app_refuses_leave_the_snapshot_as_it_is(reviewed, tmp_path, capsys):
    copied = copy(reviewed, tmp_path)
    copied.write_text("[routing.high]\nenabled = 1")
    before = {file: file.read_text() for file in snapshot_folder(copied).iterdir()}
    assert main([str(copied)]) == 1
    assert "routing.high.enabled = 1 is not valid. Specify true or false" in capsys.readouterr().err
    assert {file: file.read_text() for file in snapshot_folder(copied).iterdir()} == before


def test_a_snapshots_folder_names_its_settings_file(settings):
    assert reviewed_settings(settings.parent) == [settings]


def test_every_reviewed_snapshot_in_the_project_is_what_is_synthesized_now():
    for settings in reviewed_settings():
        changes = differences(settings)
        assert not changes, f"Review this, then run make snapshot SETTINGS={settings.name}:\n{changes}"
