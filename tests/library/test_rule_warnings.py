from __future__ import annotations

import pytest
from aws_cdk import Annotations as CdkAnnotations
from aws_cdk import App, CfnParameter, Environment, Stack, aws_events_targets
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match

from securityhub_actions import ImportedFindingsRule, ImportedFindingsV2Rule
from securityhub_actions.filters import AnythingBut, Exists, FindingFilter, Numeric, OcsfFindingFilter
from securityhub_actions.rule_warnings import OVER_BROAD, OVERLAPPING, UNREACHABLE

ACCOUNT = "111122223333"
EVERYTHING = FindingFilter(workflow_status=None, record_state=None)
EVERY_OCSF = OcsfFindingFilter(status=None, activity_name=None)


def new_stack(app=None, name="Stack", account=ACCOUNT, region="us-east-1"):
    return Stack(app or App(), name, env=Environment(account=account, region=region))


@pytest.fixture
def stack():
    return new_stack()


def listen(stack, construct_id, findings, rule=ImportedFindingsRule):
    queue = sqs.Queue(stack, f"{construct_id}Queue", enforce_ssl=True)
    return rule(stack, construct_id, findings=findings, targets=[aws_events_targets.SqsQueue(queue)])


def warnings(stack):
    return [
        (warning.id, warning.entry.data.rpartition(" [ack: ")[2].rstrip("]"))
        for warning in Annotations.from_stack(stack).find_warning("*", Match.any_value())
    ]


@pytest.mark.parametrize(
    ("rule", "findings"), [(ImportedFindingsRule, EVERYTHING), (ImportedFindingsV2Rule, EVERY_OCSF)]
)
def test_a_rule_for_every_finding_is_over_broad(stack, rule, findings):
    listen(stack, "All", findings, rule)
    assert warnings(stack) == [("/Stack/All", OVER_BROAD)]


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        (ImportedFindingsRule, FindingFilter()),
        (ImportedFindingsV2Rule, OcsfFindingFilter()),
        (ImportedFindingsRule, FindingFilter(severity="CRITICAL")),
    ],
)
def test_a_filtered_rule_gives_no_warning(stack, rule, findings):
    listen(stack, "Some", findings, rule)
    assert warnings(stack) == []


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        (ImportedFindingsRule, FindingFilter(severity="HIGH", severity_score=Numeric("<", 70))),
        (ImportedFindingsRule, FindingFilter(severity_score=Numeric(">", 100))),
        (ImportedFindingsV2Rule, OcsfFindingFilter(severity="Fatal", severity_id=5)),
    ],
)
def test_a_rule_that_can_never_match_is_unreachable(stack, rule, findings):
    listen(stack, "Never", findings, rule)
    assert warnings(stack) == [("/Stack/Never", UNREACHABLE)]


@pytest.mark.parametrize(
    ("rule", "findings"),
    [
        (ImportedFindingsRule, FindingFilter(severity=["HIGH", "LOW"], severity_score=Numeric("<", 70))),
        (ImportedFindingsRule, FindingFilter(severity=AnythingBut("LOW"), severity_score=[20, 95])),
        (ImportedFindingsRule, FindingFilter(severity_score=Exists(present=False))),
        (ImportedFindingsV2Rule, OcsfFindingFilter(severity="Fatal", severity_id=[5, 6])),
    ],
)
def test_a_rule_whose_severities_fit_together_is_reachable(stack, rule, findings):
    listen(stack, "Some", findings, rule)
    assert warnings(stack) == []


def test_two_rules_for_the_same_findings_overlap_and_the_first_tells_both(stack):
    listen(stack, "Critical", FindingFilter(severity=["CRITICAL"]))
    listen(stack, "Severe", FindingFilter(severity=["CRITICAL", "HIGH"]))
    assert warnings(stack) == [("/Stack/Critical", OVERLAPPING)]
    Annotations.from_stack(stack).has_warning(
        "/Stack/Critical", Match.string_like_regexp("both Stack/Critical and Stack/Severe")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FindingFilter(severity="CRITICAL"), FindingFilter(severity="HIGH")),
        (FindingFilter(account_ids=ACCOUNT), FindingFilter(account_ids="444455556666")),
        (FindingFilter(severity_score=Numeric(">", 70)), FindingFilter(severity_score=Numeric("<=", 70))),
    ],
)
def test_rules_that_share_no_finding_do_not_overlap(stack, one, other):
    listen(stack, "One", one)
    listen(stack, "Other", other)
    assert warnings(stack) == []


def test_rules_for_the_two_finding_formats_do_not_overlap(stack):
    listen(stack, "Asff", FindingFilter())
    listen(stack, "Ocsf", OcsfFindingFilter(), ImportedFindingsV2Rule)
    assert warnings(stack) == []


def test_rules_of_two_stacks_in_one_account_and_region_overlap(stack):
    other = new_stack(stack.node.root, "Other")
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    listen(other, "Critical", FindingFilter(severity="CRITICAL"))
    assert warnings(stack) == [("/Stack/Critical", OVERLAPPING)]


def test_rules_of_two_regions_do_not_overlap(stack):
    other = new_stack(stack.node.root, "Other", region="eu-west-1")
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    listen(other, "Critical", FindingFilter(severity="CRITICAL"))
    assert warnings(stack) == []


def test_a_filter_known_only_at_deployment_is_not_judged(stack):
    title = CfnParameter(stack, "Title").value_as_string
    listen(stack, "Late", FindingFilter(title=title))
    listen(stack, "Other", FindingFilter())
    assert warnings(stack) == []


@pytest.mark.parametrize("warning", [OVERLAPPING, OVER_BROAD])
def test_a_warning_can_be_acknowledged(stack, warning):
    archive = listen(stack, "Archive", EVERYTHING)
    listen(stack, "Critical", FindingFilter(severity="CRITICAL"))
    CdkAnnotations.of(archive).acknowledge_warning(warning, "All findings are archived")
    remaining = {OVERLAPPING, OVER_BROAD} - {warning}
    assert warnings(stack) == [("/Stack/Archive", other) for other in remaining]
