"""The embedded AWS, bootstrapped, and ways to deploy onto it with the real CDK CLI."""

from __future__ import annotations

import itertools
import json

import pytest
from aws_cdk import App, Environment, Stack

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id, prepare_region, resources_of
from tests.vendor_servers.servers import VendorServers
from tools.deploy import run_cdk

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder."""
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def aws():
    """An embedded AWS of the end-to-end tests' own, with the default region prepared."""
    with EmbeddedAws.start() as aws:
        prepare_region(aws, DEFAULT_REGION)
        yield aws


@pytest.fixture(scope="session")
def aws_with_fast_queues():
    """Another one, whose queues show what failed after three minutes instead of half an hour.

    That is still longer than a lease of 40 seconds, as on AWS.
    """
    with EmbeddedAws.start(visibility_second=0.1) as aws:
        prepare_region(aws, DEFAULT_REGION)
        yield aws


@pytest.fixture(scope="module")
def vendors():
    """Local servers that speak the APIs of the ticket trackers, for all tests of a module."""
    with VendorServers() as servers:
        yield servers


class Deployment:
    """One stack of a test, deployed again and again as its app changes.

    Args:
        aws: The embedded AWS.
        context: The feature flags.
        folder: Where apps are synthesized.
        region: Where the stack goes.
    """

    def __init__(self, aws, context, folder, region):
        self.aws = aws
        self.context = context
        self.folder = folder
        self.region = region
        self.stack_name = f"Test{next(_numbers)}"

    def synthesize(self, declare):
        """Synthesize an app with one stack, to which `declare` adds constructs; return the folder."""
        outdir = self.folder / f"{self.stack_name}-{next(_numbers)}"
        app = App(context=self.context, analytics_reporting=False, outdir=str(outdir))
        stack = Stack(app, self.stack_name, env=Environment(account=DEFAULT_ACCOUNT, region=self.region))
        declare(stack)
        app.synth()
        return outdir

    def deploy(self, declare):
        """Do what `cdk deploy` does, in a tenth of the time: publish the assets and deploy the template.

        Raises:
            DeploymentFailedError: The stack failed; the message holds the reasons.
        """
        deploy_synthesized(self.aws, self.synthesize(declare), self.stack_name, region=self.region)

    def deploy_with_cli(self, declare):
        """Run `cdk deploy` and return what it printed, warnings of the app included.

        Without change sets it takes two thirds of the time. The app's own stacks are deployed with them.
        """
        arguments = ("--app", str(self.synthesize(declare)), "--method", "direct", "--no-notices")
        return run_cdk(
            self.aws,
            "deploy",
            self.stack_name,
            "--require-approval",
            "never",
            *arguments,
            region=self.region,
        )

    def import_action(self, declare, arn):
        """Run `cdk import` for the one native action target that the app declares."""
        app = self.synthesize(declare)
        template = json.loads((app / f"{self.stack_name}.template.json").read_text())
        (logical_id,) = (
            name
            for name, resource in template["Resources"].items()
            if resource["Type"] == "AWS::SecurityHub::ActionTarget"
        )
        mapping = self.folder / f"{self.stack_name}-mapping.json"
        mapping.write_text(json.dumps({logical_id: {"ActionTargetArn": arn}}))
        arguments = ("--app", str(app), "--force", "--resource-mapping", str(mapping))
        return run_cdk(self.aws, "import", self.stack_name, *arguments, region=self.region)

    def destroy(self):
        """Delete the stack and wait until it is gone."""
        delete_stack(self.aws, self.stack_name, region=self.region)

    def clear(self):
        """Delete the stack and every custom action of the region."""
        self.destroy()
        hub = self.aws.client("securityhub", region=self.region)
        for page in hub.get_paginator("describe_action_targets").paginate():
            for action in page["ActionTargets"]:
                hub.delete_action_target(ActionTargetArn=action["ActionTargetArn"])

    def actions(self):
        """The custom actions of the region: id to name and description."""
        hub = self.aws.client("securityhub", region=self.region)
        pages = hub.get_paginator("describe_action_targets").paginate()
        return {
            action["ActionTargetArn"].rpartition("/")[2]: (action["Name"], action["Description"])
            for page in pages
            for action in page["ActionTargets"]
        }

    def resources(self, resource_type):
        """The stack's resources of a type: logical id to physical id."""
        return resources_of(self.aws, self.stack_name, resource_type, region=self.region)

    def physical_id(self, resource_type, construct_id):
        """The physical id of the stack's one resource of a type whose construct has an id."""
        return physical_id(self.aws, self.stack_name, resource_type, construct_id, region=self.region)


def _deployments(aws, feature_flags, folder):
    made = []

    def prepare(region):
        prepare_region(aws, region)
        made.append(Deployment(aws, feature_flags, folder, region))
        return made[-1]

    yield prepare
    for deployment in made:
        deployment.clear()


@pytest.fixture
def new_deployment(aws, feature_flags, tmp_path):
    """A function that prepares a stack in a region; what is left of it is deleted afterwards."""
    yield from _deployments(aws, feature_flags, tmp_path)


@pytest.fixture(scope="module")
def new_module_deployment(aws, feature_flags, tmp_path_factory):
    """The same for a stack that all tests of a module share."""
    yield from _deployments(aws, feature_flags, tmp_path_factory.mktemp("apps"))
