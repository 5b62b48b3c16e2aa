"""A press whose function is killed is finished by Lambda's first retry: the lease has lapsed by then.

Nothing is faster here than on AWS: a retry follows after a minute, and a lease lasts as long as it does.
`tests/lambda/functions/remediate/test_interruptions.py` interrupts at each call, on a clock of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, EmbeddedAws
from stacks.finding_turns import FindingTurnsStack
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import answer_to, dead_letter_queue, stored, waiting
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import deploy_synthesized, prepare_region

pytestmark = pytest.mark.long

TURNS, REMEDIATION, MEMBER = (
    "SecurityHubFindingTurns",
    "SecurityHubRemediation",
    "SecurityHubRemediationMember",
)
HOME = "eu-west-1"
REMEDIATED, REPEATED = "Remediated: ", "Already done, nothing changed now. Remediated: "
# In the order in which a press gets there, with the beginning of the note in the end. PutItem takes the
# lease, PutObject saves the record for an undo, ModifySubnetAttribute remediates, and BatchUpdateFindings
# writes the note.
MOMENTS = {
    "before-PutItem": REMEDIATED,
    "after-PutItem": REMEDIATED,
    "after-PutObject": REMEDIATED,
    "after-ModifySubnetAttribute": "Nothing to remediate: ",
    "after-BatchUpdateFindings": REPEATED,
}
# More than the longest pause between two attempts, in which nothing moves.
PATIENCE_SECONDS = 360
KILLED = Path(__file__).with_name("interrupted_handler.py")


class Calls:
    """What each attempt of the function has called.

    Attributes:
        folder: Where the handler logs it.
    """

    def __init__(self, folder):
        self.folder = folder

    def of(self, moment):
        """Return the calls of the attempts to handle the finding of a moment, one list for each attempt."""
        return [log.read_text().split() for log in sorted(self.folder.glob(f"{moment}.*"))]

    def progress(self):
        return [(log.name, log.stat().st_size) for log in sorted(self.folder.iterdir())]


@pytest.fixture
def calls(tmp_path):
    folder = tmp_path / "calls"
    folder.mkdir()
    return Calls(folder)


@pytest.fixture
def aws(calls, feature_flags, tmp_path):
    # A second of the retry schedules is a second, as it is of the leases.
    with EmbeddedAws.start(retry_second=1) as aws:
        prepare_region(aws, HOME)
        values = remediation_at_home(aws, "subnet_public_ip")
        values["automatic"] |= {"enabled": False, "filter": {"severity": ["CRITICAL"]}}
        settings = RemediationSettings.model_validate(values)
        folder = tmp_path / "app"
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
        environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
        turns = FindingTurnsStack(cdk, TURNS, env=environment).table
        stack = RemediationStack(cdk, REMEDIATION, settings=settings, turns=turns, env=environment)
        MemberRoleStack(cdk, MEMBER, settings=settings, env=environment)
        function = stack.node.find_child("Function")
        function.add_environment("CALLS_FOLDER", str(calls.folder))
        function.node.default_child.handler = "functions.remediate.interrupted_handler.handle"
        cdk.synth()
        (code,) = folder.glob("asset.*/functions/remediate")
        shutil.copy(KILLED, code)
        deploy_synthesized(aws, folder, TURNS, REMEDIATION, MEMBER, region=HOME)
        yield aws


class Subnet:
    """A subnet that assigns public addresses, and the finding about it, for one moment."""

    def __init__(self, aws, vpc, number, moment):
        self._ec2 = aws.client("ec2")
        self.id = self._ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
        self.assign()
        arn = f"arn:aws:ec2:{HOME}:{DEFAULT_ACCOUNT}:subnet/{self.id}"
        resource = {"Type": "AwsEc2Subnet", "Id": arn, "Region": HOME}
        self.finding = control_finding("EC2.15", moment, Resources=[resource])

    def assign(self):
        self._ec2.modify_subnet_attribute(SubnetId=self.id, MapPublicIpOnLaunch={"Value": True})

    @property
    def assigns(self):
        (found,) = self._ec2.describe_subnets(SubnetIds=[self.id])["Subnets"]
        return found["MapPublicIpOnLaunch"]


@pytest.fixture
def subnets(aws):
    """A subnet for each moment, whose findings are imported."""
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {moment: Subnet(aws, vpc, number, moment) for number, moment in enumerate(MOMENTS)}
    import_findings(aws, [subnet.finding for subnet in made.values()])
    return made


@pytest.fixture
def press_each(aws, calls, subnets):
    """A function that presses an action for each finding at once and returns the answers, by moment."""

    def press_each(action_id):
        action = f"arn:aws:securityhub:{HOME}:{DEFAULT_ACCOUNT}:action/custom/{action_id}"
        events = {moment: aws.press(action, findings=[one.finding])[0] for moment, one in subnets.items()}
        return {
            moment: answer_to(aws, event, progress=calls.progress, patience=PATIENCE_SECONDS)
            for moment, event in events.items()
        }

    return press_each


def test_a_press_that_is_killed_anywhere_is_finished_by_the_first_retry(aws, calls, subnets, press_each):
    reached = list(MOMENTS)

    answers = press_each("Remediate")

    for moment, subnet in subnets.items():
        first, second = calls.of(moment)
        assert first[-1] == moment, "it was killed elsewhere"
        assert [one for one in MOMENTS if one in first] == reached[: reached.index(moment) + 1]
        assert second[-1].startswith("after-"), "it was killed again"
        assert (answers[moment].function_error, answers[moment].attempts) == (None, 2)
        assert not subnet.assigns
        found = stored(aws, subnet.finding)
        assert found["Workflow"]["Status"] == "RESOLVED"
        note = found["Note"]["Text"]
        assert note.startswith(MOMENTS[moment])
        assert '"MapPublicIpOnLaunch":true' in note, "the state before is not told"

    undone = press_each("UndoRemediation")

    for moment, subnet in subnets.items():
        assert (undone[moment].function_error, undone[moment].attempts) == (None, 1)
        assert subnet.assigns, "the record of the killed attempt was lost"
        assert stored(aws, subnet.finding)["Workflow"]["Status"] == "NEW"
    assert waiting(aws, dead_letter_queue(aws, REMEDIATION)) == 0
