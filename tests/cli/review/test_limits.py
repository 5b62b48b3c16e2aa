"""How much of each quota an app uses, and what is said where more is used than before."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.review.limits import limit_notes, usages

ENVIRONMENT = "Characters of a function's environment variables"


@pytest.fixture
def used(tmp_path):
    """A function that returns what an app with some resources uses of each quota, by the quota's name."""

    def used(resources):
        file = tmp_path / "Stack.template.json"
        file.write_text(json.dumps({"Resources": resources}))
        return {one.quota: one for one in usages(read_app(tmp_path))}

    return used


def several(resource_type, number, **properties):
    return {f"Resource{index}": {"Type": resource_type, "Properties": properties} for index in range(number)}


@pytest.mark.parametrize(
    ("resource_type", "quota", "allowed"),
    [
        ("AWS::SecurityHub::AutomationRule", "Automation rules", 100),
        ("AWS::SecurityHub::AutomationRuleV2", "Automation rules V2", 100),
        ("AWS::Logs::ResourcePolicy", "Resource policies of CloudWatch Logs", 10),
        ("Custom::CloudwatchLogResourcePolicy", "Resource policies of CloudWatch Logs", 10),
        ("AWS::IAM::Role", "Roles of an account", 1_000),
        ("AWS::S3::Bucket", "Resources of a stack", 500),
    ],
)
def test_resources_are_counted(used, resource_type, quota, allowed):
    usage = used(several(resource_type, 7))[quota]
    assert (usage.used, usage.allowed) == (7, allowed)


def test_environment_variables_are_measured_as_json_where_there_are_most(used):
    small, large = ({"Environment": {"Variables": {"A": "b" * number}}} for number in (10, 20))
    resources = {
        "Small": {"Type": "AWS::Lambda::Function", "Properties": small},
        "Large": {"Type": "AWS::Lambda::Function", "Properties": large},
        "None": {"Type": "AWS::Lambda::Function", "Properties": {}},
    }
    usage = used(resources)[ENVIRONMENT]
    assert (usage.used, usage.where, usage.allowed) == (len('{"A":""}') + 20, "Stack/Large", 4_096)


def test_an_empty_app_uses_nothing_but_its_template(used):
    assert {quota for quota, usage in used({}).items() if usage.used} == {"Bytes of a template"}


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        (1, 7, None),
        (1, 8, "Quota nearly used up"),
        (9, 9, None),
        (10, 11, "Quota exceeded"),
        (12, 11, None),
    ],
)
def test_a_note_names_a_quota_of_which_more_is_used(used, before, after, title):
    former, now = (
        list(used(several("AWS::Logs::ResourcePolicy", number)).values()) for number in (before, after)
    )
    notes = [note for note in limit_notes(former, now) if "Logs" in note.subject]
    assert [note.title for note in notes] == ([title] if title else [])
    if title:
        assert notes[0].essence.startswith(f"{before} -> {after} of 10")


def test_a_template_is_as_large_as_its_file_which_the_cdk_indents(tmp_path):
    document = {"Description": "Grüße", "Resources": several("AWS::S3::Bucket", 3)}
    file = tmp_path / "Stack.template.json"
    text = json.dumps(document, indent=1, ensure_ascii=False)
    file.write_text(text, encoding="utf-8")
    (usage,) = (one for one in usages(read_app(tmp_path)) if one.quota == "Bytes of a template")
    assert usage.used == file.stat().st_size == len(text) + 2 > len(json.dumps(document))


@pytest.mark.parametrize(
    ("quota", "resource"),
    [
        (
            "Characters of a role's inline policies",
            {
                "Type": "AWS::IAM::Policy",
                "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": ["x" * 100]}},
            },
        ),
        (
            "Characters of a function's resource policy",
            {
                "Type": "AWS::Lambda::Permission",
                "Properties": {"FunctionName": {"Fn::GetAtt": ["Role", "Arn"]}, "Action": "x" * 100},
            },
        ),
    ],
)
def test_policies_of_stacks_with_the_same_logical_ids_arent_added_up(tmp_path, quota, resource):
    several_times = {"One": resource, "Two": resource}
    for stack, policies in {"First": {"One": resource}, "Second": several_times, "Third": {}}.items():
        resources = {"Role": {"Type": "AWS::IAM::Role"}, **policies}
        (tmp_path / f"{stack}.template.json").write_text(json.dumps({"Resources": resources}))

    def usage(folder):
        return next(one for one in usages(read_app(folder)) if one.quota == quota)

    both, alone = usage(tmp_path), usage(tmp_path / "Second.template.json")
    assert both == alone
    assert both.where == "Second/Role"
    assert both.used > 200


@pytest.fixture
def rules_in(tmp_path):
    """A function that writes an app with some rules in each Region, and returns what it uses of the quota."""

    def usage(numbers, metadata=None):
        artifacts = {}
        for region, number in numbers.items():
            rules = several("AWS::Events::Rule", number, EventPattern={"source": ["a"]})
            (tmp_path / f"{region}.template.json").write_text(json.dumps({"Resources": rules}))
            artifacts[region] = {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://111122223333/{region}",
                "properties": {"templateFile": f"{region}.template.json"},
                "metadata": metadata or {},
            }
        (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
        return next(one for one in usages(read_app(tmp_path)) if one.quota == "Rules of a bus")

    return usage


def test_each_bus_is_compared_with_the_quota_of_its_own_region(rules_in):
    usage = rules_in({"us-east-1": 150, "eu-south-1": 20})
    assert (usage.used, usage.allowed) == (150, 300)
    usage = rules_in({"us-east-1": 150, "eu-south-1": 60})
    assert (usage.used, usage.allowed) == (60, 100)


def test_a_quota_that_was_raised_is_the_one_that_is_shown(rules_in):
    metadata = {"/Stack": [{"type": "securityhub-actions:rulesQuota", "data": 600}]}
    assert rules_in({"us-east-1": 150}, metadata).allowed == 600


@pytest.mark.parametrize("data", ["600", None, {"a": 1}, True])
def test_other_metadata_raises_no_quota(rules_in, data):
    metadata = {"/Stack": [{"type": "securityhub-actions:rulesQuota", "data": data}, {"type": "other"}]}
    assert rules_in({"us-east-1": 150}, metadata).allowed == 300


@pytest.fixture
def in_regions(tmp_path):
    """A function that returns what stacks with one name use of a quota, given their resources by Region."""

    def usage(quota, regions):
        artifacts = {}
        for region, used in regions.items():
            (tmp_path / f"{region}.template.json").write_text(json.dumps({"Resources": used}))
            artifacts[region] = {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://111122223333/{region}",
                "properties": {"templateFile": f"{region}.template.json", "stackName": "Same"},
            }
        (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
        return next(one for one in usages(read_app(tmp_path)) if one.quota == quota)

    return usage


STATEMENTS = {"PolicyDocument": {"Statement": [{}] * 15}}
PATTERN = {"EventPattern": {"source": ["a" * 1_900]}, "Targets": [{"Id": str(n)} for n in range(4)]}


@pytest.mark.parametrize(
    ("quota", "resources"),
    [
        ("Resources of a stack", several("AWS::S3::Bucket", 450)),
        ("Bytes of a template", several("AWS::S3::Bucket", 450)),
        (
            "Statements of a queue policy",
            {"Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": STATEMENTS}},
        ),
        ("Characters of a pattern", {"Rule": {"Type": "AWS::Events::Rule", "Properties": PATTERN}}),
        ("Targets of a rule", {"Rule": {"Type": "AWS::Events::Rule", "Properties": PATTERN}}),
        (
            ENVIRONMENT,
            {
                "Function": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Environment": {"Variables": {"A": "b" * 4_000}}},
                }
            },
        ),
    ],
)
def test_of_stacks_with_one_name_in_several_regions_the_one_that_uses_most_counts(
    in_regions, quota, resources
):
    little = {name: {**one, "Properties": {}} for name, one in list(resources.items())[:1]}
    alone = in_regions(quota, {"eu-west-1": resources})
    assert alone.used > 0
    assert in_regions(quota, {"eu-west-1": resources, "us-east-1": little}) == alone


@pytest.mark.parametrize(
    ("quota", "policy"),
    [
        (
            "Characters of a role's inline policies",
            {
                "Type": "AWS::IAM::Policy",
                "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": "x" * 100},
            },
        ),
        (
            "Characters of a function's resource policy",
            {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Role"}}},
        ),
    ],
)
def test_policies_of_stacks_with_one_name_in_several_regions_are_not_added_up(in_regions, quota, policy):
    resources = {"Role": {"Type": "AWS::IAM::Role"}, "Policy": policy}
    alone = in_regions(quota, {"eu-west-1": resources})
    assert alone.used > 0
    assert in_regions(quota, {"eu-west-1": resources, "us-east-1": resources}) == alone
