"""Two versions of an app: all of its stacks, and the same with something changed in their templates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from aws_cdk import App, Environment

from stacks.analyst_actions import AnalystActionsStack
from stacks.finding_turns import FindingTurnsStack
from stacks.findings_routing import FindingsRoutingStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings
from tests.shipped_settings import load_shipped_settings


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory, feature_flags):
    """The folder of the synthesized app. No test changes it."""
    folder = tmp_path_factory.mktemp("base") / "cdk.out"
    settings = load_shipped_settings()
    remediation = settings.remediation.model_dump()
    remediation["accounts"]["allow"] = ["444455556666", "777788889999"]
    remediation["automatic"].update(enabled=True, filter={"severity": "HIGH"})
    context = {**feature_flags, "aws:cdk:disable-asset-staging": True, "aws:cdk:enable-path-metadata": True}
    app = App(context=context, analytics_reporting=False, outdir=str(folder))
    env = Environment(account="111122223333", region="us-east-1")
    turns = FindingTurnsStack(app, "Turns", env=env).table
    AnalystActionsStack(app, "Analysts", turns=turns, tracing=False, env=env)
    FindingsRoutingStack(app, "Routing", settings=settings.routing, env=env)
    checked = RemediationSettings.model_validate(remediation)
    RemediationStack(app, "Remediation", settings=checked, turns=turns, tracing=False, env=env)
    app.synth()
    return folder


class Version:
    """A copy of the app whose templates can be changed."""

    def __init__(self, folder):
        self.folder = folder

    def change(self, stack, change):
        """Change a template with a function of its resources by construct path."""
        path = self.folder / f"{stack}.template.json"
        template = json.loads(path.read_text())
        change(_ByPath(template))
        path.write_text(json.dumps(template))

    def rename(self, stack, old, new):
        """Rename a construct: the logical IDs and the paths of everything in it."""
        path = self.folder / f"{stack}.template.json"
        text = path.read_text()
        prefix, new_prefix = old.replace("/", ""), new.replace("/", "")
        for logical_id in json.loads(text)["Resources"]:
            if logical_id.startswith(prefix):
                text = text.replace(
                    logical_id, new_prefix + logical_id.removeprefix(prefix)[:-8] + "0A1B2C3D"
                )
        path.write_text(text.replace(f'"{stack}/{old}/', f'"{stack}/{new}/'))


class _ByPath:
    """The resources of a template by construct path, without the stack and `/Resource`."""

    def __init__(self, template):
        self.template = template
        self.resources = template["Resources"]

    def id(self, path):
        """The logical ID of a resource."""
        (found,) = (
            name
            for name, resource in self.resources.items()
            if resource.get("Metadata", {})
            .get("aws:cdk:path", "")
            .partition("/")[2]
            .removesuffix("/Resource")
            == path
        )
        return found

    def __getitem__(self, path):
        return self.resources[self.id(path)]["Properties"]

    def remove(self, path):
        """Remove a resource, and what refers to it."""
        gone = self.id(path)
        del self.resources[gone]
        for logical_id, resource in list(self.resources.items()):
            properties = _without(resource.get("Properties", {}), gone)
            if properties is None:
                del self.resources[logical_id]
            else:
                resource["Properties"] = properties


def _without(value, gone):
    """A value without the smallest parts that can be without a reference; None if it can't be."""
    if isinstance(value, list):
        kept = [_without(item, gone) for item in value]
        return [item for item in kept if item is not None] or (None if value else value)
    if not isinstance(value, dict):
        return value
    if value.get("Ref") == gone or gone in (value.get("Fn::GetAtt") or ()):
        return None
    kept = {name: _without(item, gone) for name, item in value.items()}
    optional = {name: item for name, item in kept.items() if item is not None or name not in OPTIONAL}
    return None if None in optional.values() and None not in value.values() else optional


OPTIONAL = {"DONE_TABLE", "IDEMPOTENCY_TABLE"}


@pytest.fixture
def version(synthesized, tmp_path):
    """A copy of the app."""
    return Version(Path(shutil.copytree(synthesized, tmp_path / "cdk.out")))
