"""How MiniStack behaves when the plug-ins of Security Hub are registered in it.

A failure after an upgrade says which assumption no longer holds, and which file relies on it.
"""

from __future__ import annotations

import json
from importlib.metadata import version

import ministack.app
import pytest
from ministack.core import responses, router
from ministack.services.cloudformation import changesets, engine, handlers, provisioners

from emulator.cloudformation import security_hub as cloudformation
from emulator.securityhub import api, events, state

ACCOUNT, REGION = "400000000001", "eu-central-1"


def broken(assumption, relies):
    return (
        f"MiniStack {version('ministack')}: {assumption} no longer holds, and emulator/{relies} relies on it"
    )


@pytest.fixture
def plugged(monkeypatch):
    """MiniStack of this process with the plug-ins, until the end of the test."""
    for module, name in [
        (router, "SERVICE_PATTERNS"),
        (ministack.app, "SERVICE_HANDLERS"),
        (ministack.app, "_loaded_modules"),
        (handlers, "_ACTION_HANDLERS"),
        (provisioners, "_REPLACING_PROPERTIES"),
        (changesets, "_IMPORT_LOOKUPS"),
        (provisioners, "_RESOURCE_HANDLERS"),
    ]:
        monkeypatch.setattr(module, name, dict(getattr(module, name)))
    # A reset then touches nothing but the plug-in.
    monkeypatch.setattr(ministack.app, "SERVICE_REGISTRY", {})
    for module in (changesets, handlers):
        monkeypatch.setattr(module, "validate_template_support", engine.validate_template_support)
    api.register()
    cloudformation.register()
    with responses.request_scope(ACCOUNT, REGION):
        yield
    state.reset()


@pytest.mark.usefixtures("plugged")
def test_a_request_signed_for_the_service_is_routed_to_it():
    headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/securityhub/x"}
    service = router.detect_service("POST", "/findings", headers, {})
    assert service == "securityhub", broken("routing by credential scope", "securityhub/api.py")
    assert ministack.app.SERVICE_HANDLERS[service] is api.handle_request


@pytest.mark.usefixtures("plugged")
def test_a_reset_of_ministack_resets_the_service():
    state.hubs["hub"] = "a hub"
    ministack.app._reset_all_state()
    assert not state.hubs, broken("reset() of a module in SERVICE_REGISTRY", "securityhub/api.py")


@pytest.mark.usefixtures("plugged")
def test_an_event_of_an_aws_source_is_taken_and_its_envelope_found():
    sent = events.send("Security Hub Findings - Custom Action", ["arn"], {"findings": []})
    envelope = {
        "version",
        "id",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail-type",
        "detail",
    }
    assert sent.keys() == envelope, broken(
        "_pattern_event_view(...).event_with_detail()", "securityhub/events.py"
    )
    assert (sent["source"], sent["account"], sent["region"]) == ("aws.securityhub", ACCOUNT, REGION)


@pytest.mark.usefixtures("plugged")
def test_the_stores_keep_accounts_and_regions_apart():
    state.hubs["hub"] = "a hub"
    with responses.request_scope(ACCOUNT, "us-east-1"):
        assert "hub" not in state.hubs, broken("AccountRegionScopedDict", "securityhub/state.py")
    with responses.request_scope("400000000002", REGION):
        assert "hub" not in state.hubs, broken("AccountRegionScopedDict", "securityhub/state.py")
    assert state.hubs.get("hub") == "a hub"


@pytest.mark.usefixtures("plugged")
def test_the_resource_framework_calls_the_handlers():
    api.call("EnableSecurityHub", {})
    properties = {"Id": "One", "Name": "One", "Description": "One"}
    arn, attributes = provisioners._provision_resource(
        cloudformation.ACTION_TARGET, "Action", properties, "stack"
    )
    assert attributes == {"ActionTargetArn": arn}, broken("_provision_resource", "cloudformation.py")
    renamed = properties | {"Name": "Renamed"}
    updated, _ = provisioners._update_resource(
        cloudformation.ACTION_TARGET, arn, properties, renamed, "stack", "Action", attributes
    )
    assert updated == arn, broken("_update_resource in place", "cloudformation.py")
    replaced, _ = provisioners._update_resource(
        cloudformation.ACTION_TARGET, arn, renamed, renamed | {"Id": "Two"}, "stack", "Action", attributes
    )
    assert replaced.endswith("/Two"), broken("_REPLACING_PROPERTIES", "cloudformation.py")
    provisioners._delete_resource(cloudformation.ACTION_TARGET, replaced, properties)
    assert replaced not in state.action_targets, broken("_delete_resource", "cloudformation.py")


@pytest.mark.usefixtures("plugged")
def test_the_import_framework_looks_the_action_up():
    entry = {
        "ResourceType": cloudformation.ACTION_TARGET,
        "ResourceIdentifier": {"ActionTargetArn": "arn:missing"},
    }
    reason = changesets._import_not_found([entry])
    assert reason is not None, broken("_IMPORT_LOOKUPS", "cloudformation.py")
    assert "arn:missing" in reason


@pytest.mark.usefixtures("plugged")
def test_the_template_summary_has_the_place_where_the_identifiers_go():
    body = {"Resources": {"Action": {"Type": cloudformation.ACTION_TARGET}}}
    summarize = handlers._ACTION_HANDLERS["GetTemplateSummary"]
    _, _, answer = summarize({"TemplateBody": [json.dumps(body)]})
    assert b"<ResourceIdentifiers><member>ActionTargetArn" in answer, broken(
        "the closing tag of GetTemplateSummaryResult", "cloudformation.py"
    )
