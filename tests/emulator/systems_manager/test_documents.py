"""Runbooks of one's own, made by API and by CloudFormation."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.emulator.cloudformation.test_security_hub import Stacks

APPROVER = "arn:aws:iam::111122223333:role/Lead"


def content(**step):
    inputs = {"Approvers": [APPROVER]}
    return {
        "schemaVersion": "0.3",
        "mainSteps": [{"name": "Ask", "action": "aws:approve", "inputs": inputs, **step}],
    }


@pytest.fixture
def stacks(embedded_aws):
    return Stacks(embedded_aws, "eu-west-1")


@pytest.fixture
def ssm(embedded_aws, stacks):
    return embedded_aws.client("ssm", account=stacks.account, region=stacks.region)


def stored(ssm, name, **version):
    return json.loads(ssm.get_document(Name=name, **version)["Content"])


def template(body):
    properties = {"Content": body, "DocumentType": "Automation", "UpdateMethod": "NewVersion"}
    return {
        "Resources": {"Runbook": {"Type": "AWS::SSM::Document", "Properties": properties}},
        "Outputs": {"Name": {"Value": {"Ref": "Runbook"}}},
    }


def test_a_template_makes_a_runbook_updates_it_as_a_new_default_version_and_deletes_it(stacks, ssm):
    (output,) = stacks.create(template(content()))["Outputs"]
    name = output["OutputValue"]
    assert stored(ssm, name) == content()
    (output,) = stacks.update(template(content(timeoutSeconds=60)))["Outputs"]
    assert output["OutputValue"] == name
    assert stored(ssm, name) == content(timeoutSeconds=60)
    assert stored(ssm, name, DocumentVersion="1") == content()
    stacks.delete()
    with pytest.raises(ClientError, match="does not exist"):
        ssm.get_document(Name=name)


def test_a_new_version_is_used_once_it_is_the_default(ssm):
    ssm.create_document(Name="versions", Content=json.dumps(content()), DocumentType="Automation")
    text = json.dumps(content(timeoutSeconds=7))
    latest = ssm.update_document(Name="versions", Content=text)["DocumentDescription"]
    assert (latest["DocumentVersion"], latest["DefaultVersion"]) == ("2", "1")
    assert stored(ssm, "versions") == content()
    ssm.update_document_default_version(Name="versions", DocumentVersion="2")
    assert stored(ssm, "versions") == content(timeoutSeconds=7)
    assert ssm.describe_document(Name="versions")["Document"]["DefaultVersion"] == "2"
    with pytest.raises(ClientError, match="InvalidDocumentVersion"):
        ssm.update_document_default_version(Name="versions", DocumentVersion="3")


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "{}",
        '{"schemaVersion": "2.2", "mainSteps": [{"name": "a", "action": "b"}]}',
        '{"schemaVersion": "0.3", "mainSteps": []}',
    ],
)
def test_content_that_is_no_runbook_is_refused(ssm, text):
    with pytest.raises(ClientError, match="InvalidDocument"):
        ssm.create_document(Name="no-runbook", Content=text, DocumentType="Automation")
