"""Stacks as the CDK CLI would synthesize them: with the feature flags of cdk.json."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.settings import RemediationSettings, TicketingSettings, load_settings
from stacks.ticketing import TicketingStack
from tests.checks import check_as_cdk_synth
from tests.shipped_settings import SHIPPED_SETTINGS_FILE, load_shipped_settings
from tests.whole_app import synthesize_app
from tools import snapshot as reviewed_snapshot
from tools.security.__main__ import EVERYTHING


@pytest.fixture(scope="session")
def context(feature_flags):
    """The feature flags of cdk.json, for apps of which only the templates matter: no assets are copied.

    Source: https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/cx-api/lib/app.ts
    """
    return {**feature_flags, "aws:cdk:disable-asset-staging": True}


@pytest.fixture(scope="session")
def new_app(context):
    """A function that makes an app without the checks, which take longer than everything else."""
    return lambda: App(context=context, analytics_reporting=False)


@pytest.fixture(scope="session")
def new_checked_app(new_app):
    """A function that makes an app whose synthesis makes the checks of `cdk synth`."""

    def make():
        app = new_app()
        check_as_cdk_synth(app)
        return app

    return make


@pytest.fixture(scope="session")
def environment():
    return Environment(account="111122223333", region="us-east-1")


@pytest.fixture(scope="session")
def synthesize_everything(context, tmp_path_factory):
    """A function that synthesizes the app with everything turned on, encrypted with a key of the settings.

    It returns the resources by stack and logical ID.
    """

    def run(key):
        settings = load_settings(SHIPPED_SETTINGS_FILE, overlay=EVERYTHING)
        encryption = settings.encryption.model_copy(update={"key": key})
        settings = settings.model_copy(update={"encryption": encryption})
        folder = tmp_path_factory.mktemp("cdk.out")
        synthesize_app(settings, folder, context=context)
        return {
            (path.name.partition(".")[0], logical_id): resource
            for path in folder.glob("*.template.json")
            for logical_id, resource in json.loads(path.read_text())["Resources"].items()
        }

    return run


@pytest.fixture(scope="session")
def everything(synthesize_everything):
    """The resources of the app with everything turned on and a key of its own, by stack and logical ID."""
    return synthesize_everything("create")


@pytest.fixture
def snapshot(snapshot):
    """One JSON file per snapshot, which a reviewer reads like the template itself."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.fixture(scope="session")
def without_asset_hashes():
    """A function that blanks asset hashes, so that a changed Lambda does not change a template's snapshot."""

    def strip(template):
        return reviewed_snapshot.without_asset_hashes(json.dumps(template))

    return strip


@pytest.fixture(scope="session")
def remediation_settings():
    """A function that returns the shipped settings of remediation with some changed, by section and key."""

    def make(**changes):
        values = load_shipped_settings().remediation.model_dump()
        values["accounts"]["allow"] = ["444455556666", "777788889999"]
        values["automatic"]["filter"] = {"severity": "HIGH"}
        for name, change in changes.items():
            values[name] = {**values[name], **change} if isinstance(change, dict) else change
        return RemediationSettings.model_validate(values)

    return make


@pytest.fixture(scope="session")
def ticketing_settings():
    """A function that returns the shipped settings of ticketing with some changed, all trackers enabled."""

    def make(**changes):
        values = load_shipped_settings().ticketing.model_dump()
        values["enabled"] = True
        values["automatic"]["filter"] = {"severity": ["CRITICAL", "HIGH"]}
        for tracker in ("jira", "service_now", "pager_duty", "slack"):
            values[tracker]["enabled"] = True
        for name, change in changes.items():
            values[name] = {**values[name], **change} if isinstance(change, dict) else change
        return TicketingSettings.model_validate(values)

    return make


@pytest.fixture(scope="session")
def new_ticketing_template(new_app, environment, ticketing_settings):
    """A function that returns the template of ticketing with some of its settings changed."""

    def make(**changes):
        settings = ticketing_settings(**changes)
        return Template.from_stack(TicketingStack(new_app(), "Ticketing", settings=settings, env=environment))

    return make
