"""Suppressions as deployed: they suppress, tell, end, and open what they suppressed, in both hubs."""

from __future__ import annotations

import json
from datetime import date

import pytest
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions import FindingFilter, OcsfFindingFilter, SuppressionRule
from securityhub_actions.suppression_rule import TODAY
from tests.e2e.findings import control_finding

# Rules change what other tests import, so this is a Region of its own.
REGION = "eu-north-1"
REASON = "The bucket hosts the public website"
UNTIL = date(2027, 3, 31)
END, NOTICE = "2027-03-31T00:00:00Z", "2027-03-17T00:00:00Z"


def declare(*, until=UNTIL, old=True, forever="S3.9"):
    """The stack of an app whose clock says that it's 2027."""

    def add(stack):
        stack.node.set_context(TODAY, "2027-01-01")
        queue = sqs.Queue(stack, "Inbox", enforce_ssl=True)
        topic = sns.Topic(stack, "Notices", enforce_ssl=True)
        topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True))

        def suppress(name, findings, ends=None, told=topic):
            SuppressionRule(
                stack,
                name.replace(" ", ""),
                findings=findings,
                reason=REASON,
                until=ends,
                topic=told,
                rule_name=name,
            )

        suppress("Website", FindingFilter(control_ids="S3.2"), until)
        suppress("Website of the new hub", OcsfFindingFilter(control_ids="S3.2"), until)
        suppress("Forever", FindingFilter(control_ids=forever))
        suppress("Forever in the new hub", OcsfFindingFilter(control_ids=forever), told=None)
        suppress("Untold", FindingFilter(control_ids="S3.12"), until, told=None)
        if old:
            suppress("Old", FindingFilter(control_ids="S3.5"))

    return add


class Suppressed:
    """The deployed stack, and what tests do with it."""

    def __init__(self, aws, deployment):
        self.aws, self.deployment = aws, deployment
        self.hub = aws.client("securityhub", region=REGION)
        self._number = 0

    def imported(self, control, **changes):
        """Import a new finding of a control, or an update of one."""
        self._number += 1
        finding = control_finding(control, self._number, region=REGION) | changes
        finding["UpdatedAt"] = f"2027-01-01T00:{self._number // 60:02}:{self._number % 60:02}Z"
        assert self.hub.batch_import_findings(Findings=[finding])["FailedCount"] == 0
        return finding

    def stored(self, finding):
        filters = {"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]}
        (found,) = self.hub.get_findings(Filters=filters)["Findings"]
        return found

    def status(self, finding):
        return self.stored(finding)["Workflow"]["Status"]

    def wait_for_status(self, finding, status):
        self.aws.wait_until(lambda: self.status(finding) == status, what=f"the finding to be {status}")

    def wait_for_status_v2(self, finding, status):
        self.aws.wait_until(
            lambda: self.stored_v2(finding)["status"] == status, what=f"the finding in OCSF to be {status}"
        )

    def stored_v2(self, finding):
        condition = {
            "FieldName": "finding_info.uid",
            "Filter": {"Value": finding["Id"], "Comparison": "EQUALS"},
        }
        filters = {"CompositeFilters": [{"StringFilters": [condition]}]}
        (found,) = self.hub.get_findings_v2(Filters=filters)["Findings"]
        return found

    def let_come(self, moment):
        request = {"account": DEFAULT_ACCOUNT, "region": REGION, "name": self.deployment.stack_name}
        return self.aws.request("POST", "/_emulator/schedules", {**request, "time": moment})

    def messages(self):
        """Take the bodies of the messages that have arrived. Raw messages have no subject."""
        url = self.deployment.physical_id("AWS::SQS::Queue", "Inbox")
        got = self.aws.client("sqs", region=REGION).receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for message in got.get("Messages", []):
            self.aws.client("sqs", region=REGION).delete_message(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
            )
        return [message["Body"] for message in got.get("Messages", [])]

    def told(self, text, number=1):
        """Wait until so many messages with a text have arrived, and return them."""
        found = []

        def enough():
            found.extend(body for body in self.messages() if text in body)
            return len(found) >= number

        self.aws.wait_until(enough, what=f"{number} messages with {text!r}")
        return found

    def rules(self):
        """The status of each rule of both hubs, by its name."""
        listed = self.hub.list_automation_rules()["AutomationRulesMetadata"]
        listed += self.hub.list_automation_rules_v2()["Rules"]
        return {rule["RuleName"]: rule["RuleStatus"] for rule in listed}

    def fails_once(self, operation, error):
        fault = {"operation": operation, "error": error, "count": 1}
        request = {"account": DEFAULT_ACCOUNT, "region": REGION, **fault}
        self.aws.request("POST", "/_securityhub/faults", request)


@pytest.fixture(scope="module")
def suppressed(aws, new_module_deployment):
    deployment = new_module_deployment(REGION)
    aws.client("securityhub", region=REGION).enable_security_hub_v2()
    deployment.deploy(declare())
    return Suppressed(aws, deployment)


def test_what_matches_is_suppressed_with_the_reason_until_it_ends_and_is_open_again(suppressed):
    website, other = suppressed.imported("S3.2"), suppressed.imported("S3.1")
    forever, mine = suppressed.imported("S3.9"), suppressed.imported("S3.2")
    untold = suppressed.imported("S3.12")
    passed = suppressed.imported("S3.2")
    assert suppressed.status(website) == suppressed.status(forever) == "SUPPRESSED"
    assert suppressed.stored(website)["Note"]["Text"] == f"{REASON} (suppressed until 2027-03-31)"
    assert suppressed.status(other) == "NEW"
    assert suppressed.stored_v2(website)["status"] == "Suppressed"
    assert REASON in suppressed.stored_v2(website)["comment"]
    identifier = {"Id": mine["Id"], "ProductArn": mine["ProductArn"]}
    suppressed.hub.batch_update_findings(
        FindingIdentifiers=[identifier], Note={"Text": "Also mine", "UpdatedBy": "analyst"}
    )
    # It passes while it's suppressed.
    suppressed.imported("S3.2", Id=passed["Id"], Compliance={"Status": "PASSED", "SecurityControlId": "S3.2"})

    suppressed.let_come(NOTICE)
    notices = suppressed.told("ends on 2027-03-31", 2)
    assert all(REASON in notice for notice in notices)
    assert suppressed.rules()["Website"] == "ENABLED"

    # A run fails in the middle, after the rules are disabled. The hours that follow do what it left.
    suppressed.fails_once("BatchUpdateFindings", "InvalidAccessException")
    suppressed.let_come(END)
    suppressed.told("ended on 2027-03-31", 2)
    for hour in ("01", "02"):
        suppressed.let_come(f"2027-03-31T{hour}:00:00Z")
    suppressed.wait_for_status(website, "NEW")
    suppressed.aws.wait_until(
        lambda: suppressed.stored_v2(website)["status"] == "New", what="the finding in OCSF to be open again"
    )
    assert suppressed.rules() == {
        "Website": "DISABLED",
        "Website of the new hub": "DISABLED",
        "Forever": "ENABLED",
        "Forever in the new hub": "ENABLED",
        "Untold": "DISABLED",
        "Old": "ENABLED",
    }
    note = suppressed.stored(website)["Note"]["Text"]
    assert note == f"The suppression has ended. It was: {REASON} (suppressed until 2027-03-31)"
    assert suppressed.status(mine) == suppressed.status(forever) == "SUPPRESSED"
    suppressed.wait_for_status(passed, "RESOLVED")
    suppressed.wait_for_status(untold, "NEW")

    # The rule is disabled, so the provider's next update leaves it open.
    suppressed.imported("S3.2", Id=website["Id"])
    assert suppressed.status(website) == "NEW"


def test_a_later_date_puts_the_rule_in_force_again(suppressed):
    if suppressed.rules()["Website"] == "ENABLED":  # this test runs alone
        suppressed.let_come(END)
    suppressed.aws.wait_until(
        lambda: suppressed.rules()["Website"] == "DISABLED", what="the rule to be disabled"
    )
    suppressed.deployment.deploy(declare(until=date(2028, 3, 31)))
    assert suppressed.rules()["Website"] == "ENABLED"
    finding = suppressed.imported("S3.2")
    suppressed.let_come(END)
    suppressed.let_come("2028-03-17T00:00:00Z")
    suppressed.told("ends on 2028-03-31", 2)
    assert suppressed.status(finding) == "SUPPRESSED"


def test_what_a_suppression_that_is_removed_has_suppressed_is_open_again(suppressed):
    finding = suppressed.imported("S3.5")
    assert suppressed.status(finding) == "SUPPRESSED"
    suppressed.deployment.deploy(declare(until=date(2028, 3, 31), old=False))
    assert "Old" not in suppressed.rules()
    suppressed.let_come("2027-05-01T07:00:00Z")
    suppressed.wait_for_status(finding, "NEW")
    suppressed.told("no longer in the code")


def test_what_a_changed_filter_matches_no_longer_is_open_again_and_the_rest_stays(suppressed):
    settings = {"until": date(2028, 3, 31), "old": False}
    suppressed.deployment.deploy(declare(**settings, forever=["S3.9", "S3.11"]))
    opens, stays = suppressed.imported("S3.9"), suppressed.imported("S3.11")
    identifiers = [{name: one[name] for name in ("Id", "ProductArn")} for one in (opens, stays)]
    # As an earlier version of this library wrote it, and as somebody has rated it.
    author = suppressed.stored(stays)["Note"]["UpdatedBy"]
    suppressed.hub.batch_update_findings(
        FindingIdentifiers=identifiers[1:],
        Note={"Text": "Ticket SEC-1", "UpdatedBy": author.rpartition(".")[0]},
        Severity={"Label": "LOW"},
    )
    suppressed.deployment.deploy(declare(**settings, forever="S3.11"))
    suppressed.let_come("2027-06-01T07:00:00Z")
    suppressed.wait_for_status(opens, "NEW")
    suppressed.wait_for_status_v2(opens, "New")
    assert "filter of the suppression has changed" in suppressed.stored(opens)["Note"]["Text"]
    assert suppressed.status(stays) == "SUPPRESSED"
    assert suppressed.stored_v2(stays)["status"] == "Suppressed"
    suppressed.aws.wait_until(
        lambda: suppressed.stored(stays)["Note"]["UpdatedBy"] not in {author, author.rpartition(".")[0]},
        what="the finding that stays suppressed to have the marker of the new filter",
    )
    assert suppressed.stored(stays)["Note"]["Text"] == "Ticket SEC-1"


def test_the_schedule_names_the_time_and_every_suppression_that_ends(suppressed):
    payload = json.loads(suppressed.let_come("2027-05-01T08:00:00Z")["payload"])
    assert payload["scheduledTime"] == "2027-05-01T08:00:00Z"
    assert sorted(one["hub"] for one in payload["suppressions"]) == ["cspm", "cspm", "cspm", "v2", "v2"]
    topics = [one.get("topic", "") for one in payload["suppressions"]]
    assert sorted(topic[:12] for topic in topics) == ["", "", *["arn:aws:sns:"] * 3]
