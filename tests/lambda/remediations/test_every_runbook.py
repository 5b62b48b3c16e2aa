"""AWS-owned runbooks, as their pages in AWS's reference have them."""

from __future__ import annotations

import importlib
import inspect

import pytest

from stacks.remediation_catalog import EXECUTION_STATEMENTS, read_catalog

REFERENCE = "https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide"
EXECUTION = {"ssm:GetAutomationExecution", "ssm:StartAutomationExecution"}
# Under "Required IAM permissions" of each page, but for docdb:DescribeDBClusters, docdb:ModifyDBCluster,
# neptune:DescribeDBCluster and neptune:ModifyDBCluster: IAM has no service of these names.
DOCUMENTED = {
    "AWS-EnableDocDbClusterBackupRetentionPeriod": (
        "aws-enabledocdbclusterbackupretentionperiod.html",
        EXECUTION | {"rds:DescribeDBClusters", "rds:ModifyDBCluster"},
    ),
    "AWS-EnableNeptuneDbBackupRetentionPeriod": (
        "AWS-EnableNeptuneDbBackupRetentionPeriod.html",
        EXECUTION | {"rds:DescribeDBClusters", "rds:ModifyDBCluster"},
    ),
    "AWSConfigRemediation-EnableMultiAZOnRDSInstance": (
        "automation-aws-multi-az-rds.html",
        EXECUTION | {"rds:DescribeDBInstances", "rds:ModifyDBInstance"},
    ),
}
ENTRIES = {name: entry for name, entry in read_catalog().items() if entry.runbook}


@pytest.mark.parametrize("name", ENTRIES)
def test_its_role_may_do_what_the_runbooks_page_asks_and_no_more(name):
    entry = ENTRIES[name]
    granted = {
        action
        for statement in (*entry.runbook_statements, *entry.start_statements, *EXECUTION_STATEMENTS)
        for action in statement.actions
    }
    assert granted == DOCUMENTED[entry.runbook][1]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_module_links_to_the_page_of_its_runbook(name):
    page, _ = DOCUMENTED[ENTRIES[name].runbook]
    module = importlib.import_module(f"remediations.{ENTRIES[name].service}.{name}")
    assert f"{REFERENCE}/{page}\n" in inspect.getdoc(module) + "\n"


@pytest.mark.parametrize("name", ENTRIES)
def test_the_remediation_itself_may_not_make_the_change(name):
    changing = {
        action
        for statement in ENTRIES[name].statements
        for action in statement.actions
        if not action.partition(":")[2].startswith(("Describe", "Get", "List"))
    }
    assert not changing
