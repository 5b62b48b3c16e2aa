from __future__ import annotations

import dataclasses
import json
from importlib.resources import files

import pytest

from remediations.registry import all_remediations
from stacks.remediation_catalog import (
    EXECUTION_STATEMENTS,
    SEARCH_STATEMENTS,
    CatalogError,
    chosen,
    read_catalog,
)

GOOD = """
CONTROL_IDS = ("EC2.7",)
RESOURCE_TYPES = ("AwsAccount",)
DESCRIPTION = "Turns something on"
STATEMENTS = ({"Action": ("ec2:GetEbsEncryptionByDefault",), "Resource": ("*",)},)
"""


@pytest.fixture(scope="module")
def actions_of_aws():
    """The actions of every service, with the types of resources that each supports; cfn-lint has them."""
    text = files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text()
    return {
        f"{service}:{action}": details.get("Resources", [])
        for service, entry in json.loads(text).items()
        for action, details in entry["Actions"].items()
    }


def read(tmp_path, source):
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "one.py").write_text(source)
    return read_catalog(tmp_path)


def statements():
    for entry in read_catalog().values():
        for statement in (
            *entry.statements,
            *entry.undo_statements,
            *entry.runbook_statements,
            *entry.start_statements,
        ):
            yield pytest.param(statement, id=f"{entry.name}-{statement.actions[0]}")
    for statement in (*EXECUTION_STATEMENTS, *SEARCH_STATEMENTS):
        yield pytest.param(statement, id=f"runbooks-{statement.actions[0]}")


def as_literals(statements):
    return [
        {"Action": statement.actions, "Resource": statement.resources}
        | ({"Condition": statement.conditions} if statement.conditions else {})
        for statement in statements
    ]


def test_what_an_undo_reads_the_roles_of_members_may_read_already():
    # Otherwise, an undo would fail in members whose role is older than this function.
    for entry in read_catalog().values():
        may = {(action, one.resources) for one in entry.statements for action in one.actions}
        reads = {
            (action, one.resources)
            for one in entry.undo_statements
            for action in one.actions
            if action.partition(":")[2].startswith(("Describe", "Get", "List"))
        }
        assert reads <= may, entry.name


def test_the_stacks_read_what_the_function_runs():
    catalog = read_catalog()
    assert catalog.keys() == all_remediations().keys()
    for name, remediation in all_remediations().items():
        entry = catalog[name]
        assert (entry.control_ids, entry.resource_types, entry.description) == (
            remediation.control_ids,
            remediation.resource_types,
            remediation.description,
        )
        assert bool(entry.undo_statements) == (remediation.undo is not None)
        assert as_literals(entry.statements) == list(remediation.statements)
        assert as_literals(entry.undo_statements) == list(remediation.undo_statements)
        assert entry.runbook == remediation.runbook
        taken = {one: dataclasses.asdict(parameter) for one, parameter in entry.parameters.items()}
        assert taken == remediation.parameters


@pytest.mark.parametrize("statement", list(statements()))
def test_every_action_exists_in_aws(actions_of_aws, statement):
    assert not [action for action in statement.actions if action.lower() not in actions_of_aws]


@pytest.mark.parametrize("statement", list(statements()))
def test_any_resource_is_asked_for_only_where_aws_supports_no_narrower_one(actions_of_aws, statement):
    if "*" in statement.resources:
        assert not [action for action in statement.actions if actions_of_aws[action.lower()]]


WITHOUT_ACCOUNT = {
    # EBS snapshots, whose permissions only their owner can modify:
    # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html
    "arn:${Partition}:ec2:${Region}::snapshot/*",
    # In those that another account shares, an account creates and changes what is its own:
    # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-share-limitations.html
    "arn:${Partition}:ec2:${Region}:*:subnet/*",
    "arn:${Partition}:ec2:${Region}:*:vpc/*",
    # A key that members share is only looked at.
    "arn:${Partition}:kms:${Region}:*:key/*",
}


@pytest.mark.parametrize("statement", list(statements()))
def test_a_resource_without_an_account_is_limited_to_the_accounts_own(statement):
    without = {
        one
        for one in statement.resources
        if one != "*" and "${Account}" not in one and not one.startswith("arn:${Partition}:ssm:")
    } - WITHOUT_ACCOUNT
    limited = {"StringEquals": {"aws:ResourceAccount": "${Account}"}}
    assert not without or statement.conditions == limited


def test_a_module_is_read_without_running_it(tmp_path):
    (entry,) = read(tmp_path, f"raise SystemExit\n{GOOD}").values()
    assert entry.control_ids == ("EC2.7",)


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('CONTROL_IDS = ("EC2.7",)', "CONTROL_IDS = ()", "CONTROL_IDS must be a tuple of non-empty strings"),
        ('CONTROL_IDS = ("EC2.7",)', "", "CONTROL_IDS must be"),
        ('"Turns something on"', "str(7)", "DESCRIPTION must be a literal"),
        ("ec2:GetEbsEncryptionByDefault", "ec2:*", "must name its actions in full"),
        ('"Resource": ("*",)', '"Resource": "*"', "Resource of STATEMENTS must be"),
        (
            '"Resource": ("*",)',
            '"Resource": ("*",), "Effect": "Allow"',
            "must have Action, Resource, and optionally",
        ),
        (
            '"Resource": ("*",)',
            '"Resource": ("*",), "Condition": {}',
            "Condition of STATEMENTS must be a dict",
        ),
        (
            '"Resource": ("*",)',
            '"Resource": ("*",), "Condition": {"Bool": {"a": True}}',
            "Condition of STATEMENTS must be a dict",
        ),
        (
            GOOD,
            GOOD + 'PARAMETERS = ("key",)',
            "PARAMETERS must be a dict of dicts with descr",
        ),
        (GOOD, GOOD + 'PARAMETERS = {"key": {"pattern": ".*"}}', "PARAMETERS must be"),
        (GOOD, GOOD + 'PARAMETERS = {"a": {"description": "a", "pattern": "("}}', "PARAMETERS must be"),
        ("STATEMENTS = (", "STATEMENTS = () # (", "STATEMENTS must be a tuple of statements"),
    ],
)
def test_a_module_that_does_not_say_what_it_must_is_refused_with_the_reason(tmp_path, good, bad, message):
    with pytest.raises(CatalogError, match=message):
        read(tmp_path, GOOD.replace(good, bad))


WITH_RUNBOOK = f"""{GOOD}
RUNBOOK = "AWS-EnableSomething"
RUNBOOK_STATEMENTS = ({{"Action": ("ec2:EnableSomething",), "Resource": ("*",)}},)
"""


def test_one_runbook_and_no_other_may_be_started(tmp_path):
    (entry,) = read(tmp_path, WITH_RUNBOOK).values()
    (statement,) = entry.start_statements
    assert statement.actions == ("ssm:StartAutomationExecution",)
    assert statement.resources == (
        "arn:${Partition}:ssm:${Region}:*:document/AWS-EnableSomething",
        "arn:${Partition}:ssm:${Region}:*:automation-definition/AWS-EnableSomething:$DEFAULT",
    )


def test_a_module_without_a_runbook_asks_for_nothing_of_automation(tmp_path):
    (entry,) = read(tmp_path, GOOD).values()
    assert (entry.runbook, entry.runbook_statements, entry.start_statements) == (None, (), ())


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("RUNBOOK_STATEMENTS", "OTHER_STATEMENTS", "RUNBOOK and RUNBOOK_STATEMENTS must be defined together"),
        ("RUNBOOK =", "OTHER =", "RUNBOOK and RUNBOOK_STATEMENTS must be defined together"),
        (
            "AWS-EnableSomething",
            "Example-EnableSomething",
            "an AWS-owned runbook, whose name starts with AWS-",
        ),
        ("AWS-EnableSomething", "AWS-*", "an AWS-owned runbook, whose name starts with AWS-"),
        ('"AWS-EnableSomething"', "7", "RUNBOOK must be a tuple of non-empty strings"),
        ("ec2:EnableSomething", "ec2:*", "RUNBOOK_STATEMENTS must name its actions in full"),
    ],
)
def test_a_runbook_that_is_not_stated_as_it_must_is_refused_with_the_reason(tmp_path, good, bad, message):
    with pytest.raises(CatalogError, match=message):
        read(tmp_path, WITH_RUNBOOK.replace(good, bad))


def test_a_remediation_that_does_not_exist_cannot_be_chosen():
    with pytest.raises(
        CatalogError, match=r"there is no remediation nonsense; there are .*, ebs_default_encryption"
    ):
        chosen(["nonsense"], read_catalog())


def test_two_remediations_of_one_name_are_refused(tmp_path):
    for service in ("a", "b"):
        (tmp_path / service).mkdir()
        (tmp_path / service / "one.py").write_text(GOOD)
    with pytest.raises(CatalogError, match="Two remediations are named one"):
        read_catalog(tmp_path)


def test_two_remediations_that_serve_the_same_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("one", "two"):
        (tmp_path / "a" / f"{name}.py").write_text(GOOD)
    with pytest.raises(
        CatalogError, match=r"one and two both remediate control EC2\.7 for resources of type AwsAccount"
    ):
        read_catalog(tmp_path)
