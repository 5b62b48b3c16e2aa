from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from botocore.exceptions import ClientError

import remediations
from remediations import registry
from securityhub.events import Resource


@pytest.fixture
def with_modules(monkeypatch):
    """A function that makes the registry find these modules, each given by its attributes, and no others."""

    def install(**modules):
        service = ModuleType("remediations.service")
        service.__path__ = ["of the service"]
        monkeypatch.setitem(sys.modules, service.__name__, service)
        for name, attributes in modules.items():
            module = ModuleType(f"remediations.service.{name}")
            module.__dict__.update(attributes)
            monkeypatch.setitem(sys.modules, module.__name__, module)
        services = [SimpleNamespace(name=service.__name__, ispkg=True)]
        found = [SimpleNamespace(name=f"remediations.service.{name}", ispkg=False) for name in modules]
        monkeypatch.setattr(
            registry.pkgutil, "iter_modules", lambda path, _: found if path == service.__path__ else services
        )
        registry.all_remediations.cache_clear()
        return registry.all_remediations()

    yield install
    registry.all_remediations.cache_clear()


GOOD = {
    "CONTROL_IDS": ("EC2.7",),
    "RESOURCE_TYPES": ("AwsAccount",),
    "DESCRIPTION": "Turns something on",
    "STATEMENTS": (),
    "plan": lambda *_: None,
    "apply": lambda *_: None,
}


def test_a_module_in_the_package_is_found_without_being_named_anywhere(with_modules):
    assert with_modules(one=GOOD).keys() == {"one"}


def test_a_module_without_anything_of_a_remediation_is_none(with_modules):
    assert with_modules(one=GOOD, shared={"describe": lambda *_: None}).keys() == {"one"}


@pytest.mark.parametrize("missing", GOOD)
def test_a_module_that_lacks_something_is_refused(with_modules, missing):
    with pytest.raises(TypeError, match=f"remediations.service.one lacks {missing}"):
        with_modules(one={name: value for name, value in GOOD.items() if name != missing})


UNDO = {"look": lambda *_: [], "undo": lambda *_: None, "UNDO_STATEMENTS": ()}


@pytest.mark.parametrize("some", [["look"], ["undo"], ["UNDO_STATEMENTS"], ["undo", "UNDO_STATEMENTS"]])
def test_undo_the_look_before_it_and_their_statements_come_together(with_modules, some):
    with pytest.raises(TypeError, match="all of look, undo, UNDO_STATEMENTS, or none"):
        with_modules(one=GOOD | {name: UNDO[name] for name in some})


def refused(code):
    def call(*_):
        raise ClientError({"Error": {"Code": code, "Message": "is not authorized"}}, "ModifyThing")

    return call


@pytest.mark.parametrize("step", ["plan", "apply", "look", "undo", "tags_of_changed"])
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_what_the_member_role_may_not_do_says_what_to_deploy_and_stays_an_error(with_modules, step, code):
    found = with_modules(one=GOOD | UNDO | {step: refused(code)})["one"]
    with pytest.raises(ClientError, match=f"{code}.*Deploy the member role .* is not authorized"):
        getattr(found, step)()


@pytest.mark.parametrize("step", ["apply", "look", "undo"])
def test_another_error_of_a_remediation_is_left_as_it_is(with_modules, step):
    found = with_modules(one=GOOD | UNDO | {step: refused("Throttling")})["one"]
    with pytest.raises(ClientError, match=r"operation: is not authorized$"):
        getattr(found, step)()


def test_two_modules_cannot_serve_the_same(with_modules):
    with pytest.raises(ValueError, match=r"The remediations one and two both serve control EC2.7"):
        with_modules(one=GOOD, two=GOOD)


def test_a_remediation_that_does_not_exist_cannot_be_enabled():
    with pytest.raises(
        ValueError, match=r"There is no remediation nonsense; there are .*, ebs_default_encryption"
    ):
        registry.enabled_remediations(["nonsense", "s3_public_access"])


def test_only_what_is_enabled_serves(finding):
    enabled = registry.enabled_remediations(["ebs_default_encryption"])
    bucket = replace(
        finding,
        raw={"Compliance": {"SecurityControlId": "S3.8"}},
        resources=(Resource(type="AwsS3Bucket", id="arn:aws:s3:::one", region=None),),
    )
    assert registry.remediations_for(bucket, enabled) == ()
    (serving,) = registry.remediations_for(bucket, registry.all_remediations())
    assert serving.name == "s3_public_access"
    assert registry.unserved_resources(bucket, [serving]) == ()


INSTANCE = Resource(type="AwsEc2Instance", id="arn:aws:ec2:eu-west-1:444455556666:instance/i-1", region=None)
CREDENTIALS = Resource(type="AwsIamAccessKey", id="AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE", region=None)
BOTH = ["ec2_quarantine", "iam_exposed_access_key"]


@pytest.mark.parametrize(
    ("enabled", "unserved"),
    [(BOTH, ()), (BOTH[:1], (CREDENTIALS,)), (BOTH[1:], (INSTANCE,))],
)
@pytest.mark.parametrize("order", [1, -1])
def test_every_remediation_of_a_reported_resource_serves_and_what_none_serves_is_known(
    finding, order, enabled, unserved
):
    product = "arn:aws:securityhub:eu-west-1::product/aws/guardduty"
    resources = (INSTANCE, CREDENTIALS)[::order]
    exfiltration = replace(finding, product_arn=product, resources=resources)
    serving = registry.remediations_for(exfiltration, registry.enabled_remediations(enabled))
    assert [one.name for one in serving] == enabled
    assert registry.unserved_resources(exfiltration, serving) == unserved


def test_what_a_control_is_not_about_needs_no_remediation(finding):
    bucket = Resource(type="AwsS3Bucket", id="arn:aws:s3:::one", region=None)
    control = replace(
        finding, raw={"Compliance": {"SecurityControlId": "S3.8"}}, resources=(bucket, INSTANCE)
    )
    serving = registry.remediations_for(control, registry.all_remediations())
    assert registry.unserved_resources(control, serving) == ()


KEY = {"kms_key": {"description": "a key", "pattern": "alias/[a-z]+"}}


@pytest.fixture
def told(with_modules):
    """A function that enables a module which takes a key and answers with what it was told."""

    def enable(parameters):
        asks = {name: lambda *_, parameters: parameters["kms_key"] for name in ("plan", "apply")}
        with_modules(one=GOOD | asks | {"PARAMETERS": KEY})
        return registry.enabled_remediations(["one"], parameters)["one"]

    return enable


def test_plan_and_apply_are_told_the_parameters(told):
    one = told({"one": {"kms_key": "alias/mine"}})
    assert (one.plan(None, None), one.apply(None, None)) == ("alias/mine", "alias/mine")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"one was given the parameters \{\}, but takes kms_key, a key\. Correct them in settings\.toml"),
        ({"one": {"key": "alias/mine"}}, r"given the parameters \{'key': 'alias/mine'\}, but takes kms_key"),
        ({"one": {"kms_key": "alias/mine", "more": "1"}}, "but takes kms_key, a key"),
        ({"one": {"kms_key": "alias/MINE"}}, "'alias/MINE'}, but takes kms_key, a key"),
        ({"two": {"kms_key": "alias/mine"}}, "parameters for two, which is not enabled"),
    ],
)
def test_parameters_that_are_not_what_a_remediation_takes_are_refused(told, given, message):
    with pytest.raises(ValueError, match=message):
        told(given)


def test_a_remediation_that_takes_no_parameters_is_given_none():
    with pytest.raises(ValueError, match="but takes none"):
        registry.enabled_remediations(["s3_public_access"], {"s3_public_access": {"a": "b"}})


def test_only_the_modules_of_enabled_remediations_are_imported():
    code = (
        "import sys; from remediations.registry import enabled_remediations; "
        "print(*enabled_remediations(['kms_key_rotation', 'subnet_public_ip'])); "
        "print(*(name for name in sys.modules if name.startswith('remediations.') and name.count('.') == 2))"
    )
    lambda_folder = Path(remediations.__path__[0]).parent
    run = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], cwd=lambda_folder, capture_output=True, text=True, check=True
    )
    enabled, imported = (set(line.split()) for line in run.stdout.splitlines())
    assert enabled == {"kms_key_rotation", "subnet_public_ip"}
    assert imported == {
        "remediations.kms.kms_key_rotation",
        "remediations.ec2.switches",
        "remediations.rds.switches",
    }


def test_rows_of_switches_are_in_modules_of_that_name_alone():
    for name in registry._module_names():
        assert hasattr(importlib.import_module(name), "SWITCHES") == name.endswith(".switches")
