"""The app to which the faults of `fault_scenarios.py` happen: tickets, remediation, and a topic.

Each way through the app has a class that sends findings into it and tells what became of each of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from securityhub_actions.cli.commands import run
from stacks.findings_routing import FindingsRoutingStack
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings, TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import stored, waiting
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import deploy_synthesized, physical_id
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings

TICKETS, REMEDIATION, MEMBER, ROUTING = "FaultyTickets", "FaultyRemediation", "FaultyMember", "FaultyRouting"
STACKS = (TICKETS, REMEDIATION, ROUTING)
SECRET = "securityhub-actions/jira"  # noqa: S105 - its name
UNKNOWN_ACCOUNT = "999999999999"
HANDLER = Path(__file__).with_name("faulty_handler.py")


class FaultApp:
    """The deployed app.

    Attributes:
        aws: The embedded AWS.
        jira: The tracker.
        faults: The folder that `faulty_handler.py` reads.
    """

    def __init__(self, aws, vendors, feature_flags, folder):
        self.aws, self.jira = aws, vendors.jira
        self.faults = folder / "faults"
        self.faults.mkdir()
        self._apps = folder / "app"
        self._containers = 0
        self._synthesize(vendors, feature_flags)
        deploy_synthesized(aws, self._apps, TICKETS, REMEDIATION, MEMBER, ROUTING, region=DEFAULT_REGION)
        self.tickets, self.remediation, self.topic = Tickets(self), Remediation(self), Topic(self)

    def _synthesize(self, vendors, feature_flags):
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(self._apps))
        to = {"env": Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)}
        shipped = load_shipped_settings()
        tickets = shipped.ticketing.model_dump() | {"enabled": True}
        tickets["automatic"]["filter"] = {"severity": ["CRITICAL"]}
        tickets["jira"]["enabled"] = True
        stack = TicketingStack(cdk, TICKETS, settings=TicketingSettings.model_validate(tickets), **to)
        connect(self.aws, stack, vendors, {"jira": SECRET})
        function = stack.function
        function.add_environment("FAULTS_FOLDER", str(self.faults))
        function.node.default_child.handler = "functions.tickets.faulty_handler.handle"

        values = remediation_at_home(self.aws, "subnet_public_ip")
        values["automatic"] |= {"enabled": True, "mode": "apply", "filter": {"severity": ["HIGH"]}}
        settings = RemediationSettings.model_validate(values)
        RemediationStack(cdk, REMEDIATION, settings=settings, **to)
        MemberRoleStack(cdk, MEMBER, settings=settings, **to)

        off = {name: {"enabled": False} for name in ("archive", "high")}
        routing = shipped.routing.model_copy(
            update={
                name: getattr(shipped.routing, name).model_copy(update=more) for name, more in off.items()
            }
        )
        FindingsRoutingStack(cdk, ROUTING, settings=routing, **to)
        cdk.synth()
        (code,) = self._apps.glob("asset.*/functions/tickets")
        shutil.copy(HANDLER, code)

    def client(self, service):
        return self.aws.client(service)

    def deploy_member_role(self):
        deploy_synthesized(self.aws, self._apps, MEMBER, region=DEFAULT_REGION)

    def id_of(self, resource_type, construct_id, *, stack=TICKETS):
        return physical_id(self.aws, stack, resource_type, construct_id)

    @cached_property
    def _queues(self):
        """The URLs of the queues that functions read."""
        urls = self.client("sqs").list_queues()["QueueUrls"]
        return [url for url in urls if "DeadLetter" not in url and "subscriber" not in url]

    def queue(self, construct_id):
        """The URL of a queue of ticketing."""
        return self.id_of("AWS::SQS::Queue", construct_id)

    def new_containers(self):
        """Let the functions start anew, as Lambda does now and then: nothing is cached."""
        self._containers += 1
        client, name = self.client("lambda"), self.id_of("AWS::Lambda::Function", "Function")
        variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables |= {"CONTAINERS": str(self._containers)}
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    @contextlib.contextmanager
    def clock_ahead(self, seconds):
        """Let the clock of ticketing's function be ahead of all others."""
        skew = self.faults / "skew"
        skew.write_text(str(seconds))
        try:
            yield
        finally:
            skew.unlink()

    @contextlib.contextmanager
    def paused(self):
        """Keep Lambda from reading ticketing's queues; afterwards, it gets all that has come."""
        client, name = self.client("lambda"), self.id_of("AWS::Lambda::Function", "Function")
        mappings = [
            one["UUID"] for one in client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        ]
        for one in mappings:
            client.update_event_source_mapping(UUID=one, Enabled=False)
        try:
            yield
        finally:
            for one in mappings:
                client.update_event_source_mapping(UUID=one, Enabled=True)

    def settle(self, *, queues=True):
        """Wait until all deliveries and invocations have ended and, if wanted, the queues are empty."""

        def is_over():
            before = self.aws.progress()
            if self.aws.deliveries(outcome="pending") or self.aws.invocations():
                return False
            if queues and any(waiting(self.aws, url) for url in self._queues):
                return False
            # What was looked at last may have set off something that was looked at before.
            return self.aws.progress() == before

        # A vendor that doesn't answer takes its time, and nothing moves on the server meanwhile.
        self.aws.wait_until(is_over, what="the end of all deliveries", progress=self._waits, patience=600)

    def _waits(self):
        return len(self.jira.requests)

    def _command(self, *arguments):
        """Run `securityhub-actions` and return the JSON that it prints."""
        output = self.faults / "output.json"
        before = dict(os.environ)
        os.environ.update(self.aws.settings())
        try:
            with output.open("w") as file, contextlib.redirect_stdout(file):
                code = run([*arguments, "--json"])
        finally:
            os.environ.clear()
            os.environ.update(before)
        return code, output.read_text()

    def dead_letters(self):
        """All dead letters, as texts."""
        _, output = self._command("dead-letters", "show", *STACKS)
        return [json.dumps(letter) for letter in json.loads(output)]

    def replay(self):
        """Send all dead letters again."""
        code, output = self._command("dead-letters", "replay", *STACKS)
        assert code == 0, output
        self.settle()

    def look_again(self):
        """Let ticketing's hourly run come, as if an hour had passed since the last attempts."""
        client, table = self.client("dynamodb"), self.id_of("AWS::DynamoDB::Table", "Tickets")
        earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        for item in self.tickets.records():
            if "watched" in item:
                client.update_item(
                    TableName=table,
                    Key={name: item[name] for name in ("finding", "tracker")},
                    UpdateExpression="SET since = :earlier",
                    ExpressionAttributeValues={":earlier": {"S": earlier}},
                )
        # Findings are sent once for each event.
        event_id = str(uuid4())
        hourly = {"source": "aws.events", "detail-type": "Scheduled Event", "id": event_id, "detail": {}}
        function = self.id_of("AWS::Lambda::Function", "Function")
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(hourly))
        assert "FunctionError" not in answer, answer["Payload"].read()
        self.settle()


class Tickets:
    """Findings that are to get a ticket: half of them by a press, and the others when they are imported."""

    def __init__(self, app):
        self._app = app

    def findings(self, name, *numbers, pressed):
        severity = {"Severity": {"Label": "LOW" if pressed else "CRITICAL"}}
        kind = "pressed" if pressed else "imported"
        return [control_finding("S3.8", f"{name}-{kind}-{number}", **severity) for number in numbers]

    def send(self, name, *, pressed=2, imported=2):
        """Import findings, press the action on some, and return all."""
        by_hand = self.findings(name, *range(pressed), pressed=True)
        by_rule = self.findings(name, *range(imported), pressed=False)
        import_findings(self._app.aws, [*by_hand, *by_rule])
        if by_hand:
            action = f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/OpenTicket"
            self._app.aws.press(action, findings=by_hand)
        return [*by_hand, *by_rule]

    def issues(self, finding):
        return [one for one in self._app.jira.issues.values() if finding["Id"] in json.dumps(one.description)]

    def records(self):
        """The items of the table of tickets."""
        table = self._app.id_of("AWS::DynamoDB::Table", "Tickets")
        pages = self._app.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def _record(self, finding):
        found = [one for one in self.records() if one.get("findingId", {}).get("S") == finding["Id"]]
        assert len(found) <= 1
        return found[0] if found else None

    def since(self, finding):
        """When the function began to open the ticket, by its own clock."""
        return datetime.fromisoformat(self._record(finding)["since"]["S"])

    def is_waiting(self, finding):
        """Whether the hourly run looks at the finding."""
        return "watched" in (self._record(finding) or {})

    def is_done(self, finding):
        """Whether one ticket is open and the finding has its link."""
        links = stored(self._app.aws, finding).get("UserDefinedFields", {}).get("Tickets", "")
        still_open = [one.key for one in self.issues(finding) if one.status != "Done"]
        assert len(still_open) <= 1, "a finding got two tickets"
        return bool(still_open) and still_open[0] in links

    def reason(self, finding):
        """Why nothing was done, as the finding says."""
        note = stored(self._app.aws, finding).get("Note", {}).get("Text", "")
        return note if note.startswith("Ticket not opened") else ""


class Remediation:
    """Subnets that must not assign public addresses: half of them by a press, half when imported."""

    def __init__(self, app):
        self._app = app
        self._subnets = {}
        self._vpc = app.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def send(self, name, *, account=DEFAULT_ACCOUNT, pressed=2, imported=2):
        findings = [
            self._finding(name, number, account, imported=number >= pressed)
            for number in range(pressed + imported)
        ]
        import_findings(self._app.aws, findings)
        action = f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/Remediate"
        self._app.aws.press(action, findings=findings[:pressed])
        return findings

    def _finding(self, name, number, account, *, imported):
        ec2 = self._app.client("ec2")
        cidr = f"10.0.{len(self._subnets)}.0/24"
        subnet = ec2.create_subnet(VpcId=self._vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
        arn = f"arn:aws:ec2:{DEFAULT_REGION}:{account}:subnet/{subnet}"
        finding = control_finding(
            "EC2.15",
            f"{name}-{number}",
            account=account,
            Severity={"Label": "HIGH" if imported else "LOW"},
            Resources=[{"Type": "AwsEc2Subnet", "Id": arn, "Region": DEFAULT_REGION}],
        )
        self._subnets[finding["Id"]] = subnet
        return finding

    def is_done(self, finding):
        """Whether the subnet is as it should be and the finding is resolved."""
        (subnet,) = self._app.client("ec2").describe_subnets(SubnetIds=[self._subnets[finding["Id"]]])[
            "Subnets"
        ]
        status = stored(self._app.aws, finding)["Workflow"]["Status"]
        return not subnet["MapPublicIpOnLaunch"] and status == "RESOLVED"

    def reason(self, finding):
        note = stored(self._app.aws, finding).get("Note", {}).get("Text", "")
        return note if note.startswith(("Not allowed", "Remediation failed")) else ""


class Topic:
    """Critical findings that are published to the encrypted topic."""

    def __init__(self, app):
        self._app = app
        sqs = app.client("sqs")
        self._url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        topic = app.id_of("AWS::SNS::Topic", "CriticalTopic", stack=ROUTING)
        app.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        self._received = ""

    def send(self, name):
        findings = [
            control_finding("S3.8", f"{name}-{number}", Severity={"Label": "CRITICAL"}) for number in range(2)
        ]
        import_findings(self._app.aws, findings)
        return findings

    def is_done(self, finding):
        """Whether a subscriber has it."""
        sqs = self._app.client("sqs")
        while found := sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self._received += message["Body"]
                sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return finding["Id"] in self._received

    @staticmethod
    def reason(_finding):
        return ""
