"""An account with Security Hub that one test has to itself, and its findings."""

from __future__ import annotations

import json
import os
from functools import cache
from itertools import count

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulator.delivery.chain import allow, policy

REGION = "eu-west-1"
_accounts = count(200000000001)


@cache
def _session():
    """A session that knows none of the user's profiles, kept because loading the service's model is slow."""
    ignored = {
        # botocore's form: name in the config file, environment variable, default, conversion.
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = botocore.session.Session(session_vars=ignored)
    return boto3.session.Session(botocore_session=session)


class Account:
    """One account that no other test uses."""

    def __init__(self, aws, region=REGION, *, account_id=None):
        self.aws, self.id, self.region = aws, account_id or str(next(_accounts)), region
        self.hub = _session().client(
            "securityhub",
            endpoint_url=aws.endpoint_url,
            region_name=region,
            aws_access_key_id=self.id,
            aws_secret_access_key="test",  # noqa: S106 - the server takes any secret
            # boto3 would repeat a call that an error of ours refuses, and hide it.
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        self.product_arn = f"arn:aws:securityhub:{region}:{self.id}:product/{self.id}/default"

    def elsewhere(self, region):
        """The same account in another Region."""
        return Account(self.aws, region, account_id=self.id)

    def action(self, action_id="Suppress", **changes):
        request = {"Id": action_id, "Name": "Suppress", "Description": "Suppress the finding"} | changes
        return self.hub.create_action_target(**request)["ActionTargetArn"]

    def finding(self, finding_id="finding-1", **changes):
        return {
            "SchemaVersion": "2018-10-08",
            "Id": finding_id,
            "ProductArn": self.product_arn,
            "GeneratorId": "scanner/rule-1",
            "AwsAccountId": self.id,
            "Types": ["Software and Configuration Checks/Vulnerabilities/CVE"],
            "CreatedAt": "2026-01-01T00:00:00Z",
            "UpdatedAt": "2026-01-01T00:00:00Z",
            "Severity": {"Label": "HIGH"},
            "Title": "Port open",
            "Description": "A port is open to the world",
            "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::logs"}],
        } | changes

    def imported(self, finding_id="finding-1", **changes):
        finding = self.finding(finding_id, **changes)
        assert self.hub.batch_import_findings(Findings=[finding])["SuccessCount"] == 1
        return {"Id": finding_id, "ProductArn": finding["ProductArn"]}

    def stored(self, finding_id="finding-1"):
        filters = {"Id": [{"Value": finding_id, "Comparison": "EQUALS"}]}
        (found,) = self.hub.get_findings(Filters=filters)["Findings"]
        return found

    def ids(self, filters, **more):
        return [finding["Id"] for finding in self.hub.get_findings(Filters=filters, **more)["Findings"]]

    def update(self, identifier, **changes):
        return self.hub.batch_update_findings(FindingIdentifiers=[identifier], **changes)

    def listen(self):
        """A queue that receives every Security Hub event from now on."""
        clients = {"account": self.id, "region": self.region}
        sqs, bus = self.aws.client("sqs", **clients), self.aws.client("events", **clients)
        url = sqs.create_queue(QueueName="events")["QueueUrl"]
        pattern = json.dumps({"source": ["aws.securityhub"]})
        rule = bus.put_rule(Name="all", EventPattern=pattern)["RuleArn"]
        arn = f"arn:aws:sqs:{self.region}:{self.id}:events"
        statement = allow("sqs:SendMessage", arn, rule)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
        bus.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])

        def receive(number):
            received = []

            def enough():
                batch = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
                for message in batch:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                received.extend(json.loads(message["Body"]) for message in batch)
                return len(received) >= number

            self.aws.wait_until(enough, what=f"{number} events")
            return received

        return receive

    def press(self, **request):
        return self.aws.request(
            "POST", "/_securityhub/press", {"account": self.id, "region": self.region} | request
        )

    def fault(self, **request):
        self.aws.request(
            "POST", "/_securityhub/faults", {"account": self.id, "region": self.region} | request
        )


def refused(code, operation, **request):
    with pytest.raises(ClientError) as caught:
        operation(**request)
    assert caught.value.response["Error"]["Code"] == code
    # A modelled error is a subclass of its own; an unknown code would be a plain ClientError.
    assert type(caught.value).__name__ == code
    return caught.value.response
