from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from remediations import registry
from remediations.contract import CannotRemediateError, name_in_arn, resource_of
from securityhub.events import Resource, parse_event


@pytest.fixture
def finding(load_event):
    (finding,) = parse_event(load_event("custom_action_1_finding")).findings
    return finding


def altered(finding, **changes):
    names = type(finding).__dataclass_fields__
    return type(finding)(**{**{name: getattr(finding, name) for name in names}, **changes})


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


@pytest.mark.parametrize("half", [{"undo": lambda *_: None}, {"UNDO_STATEMENTS": ()}])
def test_undo_and_its_statements_come_together(with_modules, half):
    with pytest.raises(TypeError, match="both undo and UNDO_STATEMENTS, or neither"):
        with_modules(one=GOOD | half)


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
    bucket = altered(
        finding,
        raw={"Compliance": {"SecurityControlId": "S3.8"}},
        resources=(Resource(type="AwsS3Bucket", id="arn:aws:s3:::one", region=None),),
    )
    assert registry.remediation_for(bucket, enabled) is None
    assert registry.remediation_for(bucket, registry.all_remediations()).name == "s3_public_access"


def test_the_control_is_the_one_of_consolidated_findings(finding):
    assert registry.control_of(altered(finding, raw={"Compliance": {"SecurityControlId": "S3.3"}})) == "S3.3"


def test_without_consolidation_the_control_ends_the_generators_id(finding):
    generator = "aws-foundational-security-best-practices/v/1.0.0/EC2.19"
    assert registry.control_of(altered(finding, raw={}, generator_id=generator)) == "EC2.19"


def test_another_product_of_aws_is_named_by_its_arn(finding):
    product = "arn:aws:securityhub:eu-west-1::product/aws/guardduty"
    assert registry.control_of(altered(finding, product_arn=product)) == "product/aws/guardduty"


@pytest.mark.parametrize(
    "product",
    [
        "arn:aws:securityhub:eu-west-1:444455556666:product/444455556666/default",
        "arn:aws:securityhub:eu-west-1::product/example/scanner",
        "arn:aws:securityhub:eu-west-1:444455556666:product/aws/securityhub",
        "anything:product/aws/securityhub",
    ],
)
def test_a_product_of_somebody_cannot_claim_to_be_about_a_control(finding, product):
    claims = altered(finding, product_arn=product, raw={"Compliance": {"SecurityControlId": "EC2.2"}})
    assert registry.control_of(claims) is None
    assert registry.remediation_for(claims, registry.all_remediations()) is None


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_reported_instance_and_its_credentials_the_instance_is_remediated(finding, order):
    resources = [
        Resource(type="AwsIamAccessKey", id="AWS::IAM::AccessKey:ASIAIOSFODNN7EXAMPLE", region=None),
        Resource(type="AwsEc2Instance", id="arn:aws:ec2:eu-west-1:444455556666:instance/i-1", region=None),
    ]
    product = "arn:aws:securityhub:eu-west-1::product/aws/guardduty"
    exfiltration = altered(finding, product_arn=product, resources=tuple(resources[::order]))
    both = registry.enabled_remediations(["iam_exposed_access_key", "ec2_quarantine"])
    assert registry.remediation_for(exfiltration, both).name == "ec2_quarantine"
    alone = registry.enabled_remediations(["iam_exposed_access_key"])
    assert registry.remediation_for(exfiltration, alone).name == "iam_exposed_access_key"


def test_the_parameters_of_the_control_are_those_of_the_finding(finding):
    given = [
        {"Name": "authorizedUdpPorts", "Value": []},
        {"Name": "authorizedTcpPorts", "Value": ["80", "443"]},
    ]
    made_with = altered(finding, raw={"Compliance": {"SecurityControlParameters": given}})
    assert registry.parameters_of(made_with) == {
        "authorizedUdpPorts": [],
        "authorizedTcpPorts": ["80", "443"],
    }


@pytest.mark.parametrize("raw", [{}, {"Compliance": None}, {"Compliance": {"Status": "FAILED"}}])
def test_a_finding_without_parameters_has_none(finding, raw):
    assert registry.parameters_of(altered(finding, raw=raw)) == {}


@pytest.mark.parametrize(
    "given",
    [
        80,
        "80",
        {"a": "80"},
        [None],
        [{"Name": "a"}],
        [{"Name": "a", "Value": "80"}],
        [{"Name": "a", "Value": [80]}],
    ],
)
def test_parameters_that_are_not_as_documented_are_refused(finding, given):
    malformed = altered(finding, raw={"Compliance": {"SecurityControlParameters": given}})
    with pytest.raises(CannotRemediateError, match="must be a list of objects of Name and Value"):
        registry.parameters_of(malformed)


@pytest.mark.parametrize("count", [0, 2])
def test_a_finding_must_name_exactly_one_resource_of_the_type(finding, count):
    resources = tuple(Resource(type="AwsS3Bucket", id=f"arn:aws:s3:::{n}", region=None) for n in range(count))
    with pytest.raises(CannotRemediateError, match=f"names {count} resources of type AwsS3Bucket"):
        resource_of(altered(finding, resources=resources), ("AwsS3Bucket",))


@pytest.mark.parametrize(
    "elsewhere",
    [
        "arn:aws:sqs:eu-west-1:777788889999:name",
        "arn:aws:sqs:us-east-1:444455556666:name",
        "arn:aws:iam::777788889999:user/name",
        "AWS::::Account:777788889999",
    ],
)
def test_a_resource_of_another_account_or_region_is_refused(finding, elsewhere):
    resource = Resource(type="One", id=elsewhere, region=None)
    named = altered(finding, region="eu-west-1", aws_account_id="444455556666", resources=(resource,))
    with pytest.raises(CannotRemediateError, match=f"is '{elsewhere}', but .* 444455556666 and eu-west-1"):
        resource_of(named, ("One",))


@pytest.mark.parametrize(
    "here",
    [
        "arn:aws:sqs:eu-west-1:444455556666:name",
        "arn:aws:iam::444455556666:user/people/name",
        "arn:aws:s3:::name",
        "AWS::::Account:444455556666",
        "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_a_resource_of_the_findings_own_account_and_region_is_taken(finding, here):
    resource = Resource(type="One", id=here, region=None)
    named = altered(finding, region="eu-west-1", aws_account_id="444455556666", resources=(resource,))
    assert resource_of(named, ("One",)) == resource


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("arn:aws:ec2:eu-west-1:444455556666:security-group/sg-1", "sg-1"),
        ("arn:aws:s3:::bucket", "bucket"),
        ("arn:aws:sns:eu-west-1:444455556666:topic", "topic"),
        ("sg-1", "sg-1"),
    ],
)
def test_the_name_is_the_end_of_an_arn(given, name):
    assert name_in_arn(Resource(type=None, id=given, region=None)) == name


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
