from __future__ import annotations

import json

import pytest

from emulator.server import DEFAULT_ACCOUNT
from tests.examples.running import deploy, ids_in, outputs, received
from tools.deploy import bootstrap

pytestmark = pytest.mark.long
PLACES = [
    ("Staging", "444455556666", "eu-west-1"),
    ("Production", "777788889999", "eu-west-1"),
    ("Production", "777788889999", "us-east-1"),
]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    return tmp_path_factory.mktemp("assembly")


@pytest.fixture(scope="module")
def deployed(aws, assembly):
    """Both stages, in their accounts and Regions."""
    for _, account, region in PLACES:
        bootstrap(aws, account=account, region=region, trust=DEFAULT_ACCOUNT)
        aws.client("securityhub", account=account, region=region).enable_security_hub()
    deploy(aws, "accounts_and_regions", assembly, "TriagePipeline/Staging/*", "TriagePipeline/Production/*")
    return aws


@pytest.mark.parametrize(("stage", "account", "region"), PLACES)
def test_a_press_in_an_account_and_region_reaches_the_queue_there(
    stage, account, region, deployed, import_finding
):
    where = {"account": account, "region": region}
    finding = import_finding(**where)
    action = f"arn:aws:securityhub:{region}:{account}:action/custom/Triage"
    deployed.press(action, findings=[finding], **where)
    queue = outputs(deployed, f"{stage}-Triage-{account}-{region}", **where)["QueueUrl"]
    event = received(deployed, queue, finding, **where)
    assert (event["account"], event["region"]) == (account, region)
    assert ids_in(event) == [finding["Id"]]


@pytest.mark.usefixtures("deployed")
def test_the_pipeline_deploys_staging_and_production_once_it_is_approved(assembly):
    resources = json.loads((assembly / "TriagePipeline.template.json").read_text())["Resources"].values()
    (pipeline,) = (one for one in resources if one["Type"] == "AWS::CodePipeline::Pipeline")
    stages = {stage["Name"]: stage["Actions"] for stage in pipeline["Properties"]["Stages"]}
    assert list(stages) == ["Source", "Build", "UpdatePipeline", "Assets", "Staging", "Production"]
    for name in ("Staging", "Production"):
        deployed = {
            action["Configuration"]["StackName"]
            for action in stages[name]
            if action["ActionTypeId"]["Category"] == "Deploy"
        }
        assert deployed == {
            f"{stage}-Triage-{account}-{region}" for stage, account, region in PLACES if stage == name
        }
    first = [action["Name"] for action in stages["Production"] if action["RunOrder"] == 1]
    assert first == ["Approve"]
