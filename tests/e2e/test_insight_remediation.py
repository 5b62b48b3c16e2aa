"""*Remediate* pressed on results of an insight: a dry run, unless the settings allow more."""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import InsightResultsSettings, RemediationSettings
from tests.e2e.findings import control_finding
from tests.e2e.observed import answer_to, stored
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import delete_stack, deploy_synthesized

STACK, MEMBER = "SecurityHubRemediation", "SecurityHubRemediationMember"
HOME = "eu-west-1"
OTHER = "bucket-of-another-insight-result"
BUCKETS = ("bucket-of-an-insight-1", "bucket-of-an-insight-2")


@pytest.fixture(scope="module")
def deploy(aws, feature_flags, tmp_path_factory):
    """A function that deploys the stack with a mode for insight results."""
    values = remediation_at_home(aws, "s3_public_access")
    values["automatic"]["filter"] = {"severity": "CRITICAL"}
    settings = RemediationSettings.model_validate(values)

    def deploy_with(mode, *stacks):
        folder = tmp_path_factory.mktemp(f"insights-{mode}")
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
        environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
        insight_results = InsightResultsSettings(maximum_findings=100, remediate=mode)
        RemediationStack(cdk, STACK, settings=settings, insight_results=insight_results, env=environment)
        MemberRoleStack(cdk, MEMBER, settings=settings, env=environment)
        cdk.synth()
        deploy_synthesized(aws, folder, *stacks, region=HOME)

    yield deploy_with
    for name in (MEMBER, STACK):
        delete_stack(aws, name, region=HOME)


@pytest.fixture(scope="module")
def findings(aws):
    """Imported findings about public buckets: two of one generator, and one of another."""
    made = []
    for bucket in (*BUCKETS, OTHER):
        aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME})
        made.append(
            control_finding(
                "S3.8",
                bucket,
                GeneratorId="another" if bucket == OTHER else "remediated-by-insight",
                Resources=[{"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::{bucket}", "Region": HOME}],
            )
        )
    assert aws.client("securityhub").batch_import_findings(Findings=made)["FailedFindings"] == []
    return made


@pytest.fixture(scope="module")
def press(aws, findings):
    """A function that presses *Remediate* on the result that counts two of the findings."""
    ids = [{"Value": finding["Id"], "Comparison": "EQUALS"} for finding in findings]
    insight = aws.client("securityhub").create_insight(
        Name="Public buckets", Filters={"Id": ids}, GroupByAttribute="GeneratorId"
    )["InsightArn"]

    def press_it():
        action = f"arn:aws:securityhub:{HOME}:{DEFAULT_ACCOUNT}:action/custom/Remediate"
        (event,) = aws.press(action, insight_arn=insight, result_values=["remediated-by-insight"])
        return answer_to(aws, event)

    return press_it


def closed(aws):
    """The buckets that are closed to the public."""
    s3 = aws.client("s3")
    found = []
    for bucket in (*BUCKETS, OTHER):
        try:
            block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        except s3.exceptions.ClientError:
            continue
        found += [bucket] if all(block.values()) else []
    return found


@pytest.mark.long
def test_results_of_an_insight_get_a_dry_run_and_are_remediated_once_that_is_allowed(
    aws, deploy, findings, press
):
    deploy("dry-run", STACK, MEMBER)
    answer = press()
    assert answer.function_error is None
    assert (answer.payload["insight"]["findings"], closed(aws)) == (2, [])
    for finding in findings[:2]:
        now = stored(aws, finding)
        assert now["Workflow"]["Status"] == "NEW"
        assert now["Note"]["Text"].startswith("Dry run, nothing changed: ")
        assert 'on 1 result of the insight "Public buckets"' in now["Note"]["Text"]

    deploy("apply", STACK)
    answer = press()
    assert answer.function_error is None
    assert closed(aws) == list(BUCKETS)
    for finding in findings[:2]:
        now = stored(aws, finding)
        assert now["Workflow"]["Status"] == "RESOLVED"
        assert now["Note"]["Text"].startswith("Remediated: ")
    untouched = stored(aws, findings[2])
    assert (untouched["Workflow"]["Status"], "Note" in untouched) == ("NEW", False)
