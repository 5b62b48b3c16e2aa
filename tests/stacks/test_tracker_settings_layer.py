from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from aws_cdk.assertions import Template

from functions.tickets.trackers import enabled_trackers
from functions.tickets.trackers.settings_file import read_settings
from stacks.ticketing import TicketingStack
from stacks.tracker_settings_layer import FILE

SETTINGS = {
    "jira": {
        "steps": ["Start"],
        "fields": {"priority": {"asff": "Severity.Label", "values": {"CRITICAL": "P1"}}},
        "rules": [{"controls": ["S3.8"], "project": "PAY", "fields": {"components": "Payments"}}],
    },
    "service_now": {"fields": {"caller_id": "securityhub"}},
}


@pytest.fixture(scope="module")
def assembly(new_app, environment, ticketing_settings):
    an_app = new_app()
    TicketingStack(an_app, "Ticketing", settings=ticketing_settings(**SETTINGS), env=environment)
    return an_app.synth()


@pytest.fixture(scope="module")
def folder(assembly):
    """The folder that Lambda adds to the path, of the layer with the settings."""
    files = json.loads((Path(assembly.directory) / "Ticketing.assets.json").read_text())["files"]
    folders = [Path(assembly.directory) / one["source"]["path"] / "python" for one in files.values()]
    (found,) = (one for one in folders if (one / FILE).is_file())
    return found


def test_the_function_has_the_layer_and_the_name_of_the_file(assembly):
    template = Template.from_json(assembly.get_stack_by_name("Ticketing").template)
    (layer,) = (
        name
        for name in template.find_resources("AWS::Lambda::LayerVersion")
        if name.startswith("TrackerSettings")
    )
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "functions.tickets.handler.handle"}}
    ).values()
    assert {"Ref": layer} in function["Properties"]["Layers"]
    assert function["Properties"]["Environment"]["Variables"]["TRACKER_SETTINGS"] == FILE


def test_the_function_reads_what_was_set(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    settings = read_settings({"TRACKER_SETTINGS": FILE})
    assert settings == {
        "jira": {
            "steps": ["Start"],
            "fields": {
                "priority": {"type": "name", "asff": ["Severity", "Label"], "values": {"CRITICAL": "P1"}}
            },
            "rules": [
                {
                    "controls": ["S3.8"],
                    "project": "PAY",
                    "fields": {"components": {"type": "names", "value": ["Payments"]}},
                }
            ],
        },
        "servicenow": {
            "fields": {
                "caller_id": {
                    "type": "reference",
                    "value": "securityhub",
                    "table": "sys_user",
                    "column": "user_name",
                }
            }
        },
    }


def test_trackers_are_made_of_what_was_set(folder, monkeypatch, vendor_servers):
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    environment = {**vendor_servers.environment("jira", "servicenow"), "TRACKER_SETTINGS": FILE}
    assert len(enabled_trackers(environment, vendor_servers.get_secret)) == 2


def test_without_such_settings_there_is_no_layer(new_app, environment, ticketing_settings):
    stack = TicketingStack(new_app(), "Ticketing", settings=ticketing_settings(), env=environment)
    template = Template.from_stack(stack)
    assert "TRACKER_SETTINGS" not in json.dumps(template.to_json())
    template.resource_count_is("AWS::Lambda::LayerVersion", 2)
