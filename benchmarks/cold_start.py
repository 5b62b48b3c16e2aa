"""Compare each function's cold start, its first event included, with that of boto3 alone.

Each start is a new Python process: it imports the handler, creates what a container keeps, and handles one
event of a custom action. Beside it, processes with nothing but boto3 make the first AWS call that the event
leads to, and all of them; requests to a tracker are the function's alone. The processes take turns, so that
other work on the machine affects all alike, and servers in this process answer them. The figures are medians
of CPU seconds, and ratios of them.

Run it with `python benchmarks/cold_start.py`, or with the names of some functions after it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the trackers' servers of the tests

from tests.serving import serving  # noqa: E402 - after its folder is known
from tests.vendor_servers.servers import VendorServers  # noqa: E402 - after its folder is known

_ROUNDS: Final = 7
_EVENTS: Final = ROOT / "tests" / "events"
REGION: Final = "eu-west-1"
ENVIRONMENTS: Final = {
    "update_findings": {"WORKFLOW_STATUS": "NOTIFIED", "IDEMPOTENCY_TABLE": "done"},
    "insight_digest": {"TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:digests"},
    "remediate": {
        "REMEDIATIONS": "ebs_default_encryption,s3_public_access,security_group_open_to_world",
        "ALLOWED_ACCOUNTS": "111122223333",
        "MEMBER_ROLE": "member",
        "AUTOMATION_ROLE": "automation",
        "EXTERNAL_ID": "external",
        "RECORDS_BUCKET": "records",
        "IDEMPOTENCY_TABLE": "done",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    },
    "tickets": {
        "IDEMPOTENCY_TABLE": "done",
        "LOOKS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/looks",
        "TICKET_TABLE": "tickets",
        "TICKETS_PER_ACCOUNT_AND_HOUR": "30",
    },
}

_START: Final = """
import time
began = time.process_time()
import json
event = json.load(open({event!r}, encoding="utf-8"))
# As most events, it's handled at once. An old one could be a retry.
event["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
"""
_END: Final = """
print("CPU", time.process_time() - began)
"""
_FUNCTION: Final = """
from types import SimpleNamespace
from functions.{name}.handler import handle
handle(event, SimpleNamespace(
    function_name="example", memory_limit_in_mb="256", aws_request_id="request",
    invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:example",
    get_remaining_time_in_millis=lambda: 300_000,
))
"""

_DONE_TABLE: Final = """
import boto3
done = boto3.client("dynamodb")
done.put_item(TableName="done", Item={"id": {"S": "key"}})
"""
_UPDATE: Final = """
finding = event["detail"]["findings"][0]
boto3.client("securityhub").batch_update_findings(
    FindingIdentifiers=[{"Id": finding["Id"], "ProductArn": finding["ProductArn"]}],
    Note={"Text": "text", "UpdatedBy": "example"},
)
"""
_UPDATE_KEY: Final = """
done.update_item(
    TableName="done", Key={"id": {"S": "key"}}, UpdateExpression="SET #status = :status",
    ExpressionAttributeNames={"#status": "status"}, ExpressionAttributeValues={":status": {"S": "COMPLETED"}},
)
"""
_REMEDIATE_CALLS: Final = """
credentials = boto3.client("sts").assume_role(
    RoleArn="arn:aws:iam::111122223333:role/member", RoleSessionName="session"
)["Credentials"]
member = boto3.Session(
    aws_access_key_id=credentials["AccessKeyId"], aws_secret_access_key=credentials["SecretAccessKey"],
    aws_session_token=credentials["SessionToken"],
).client("s3")
try:
    member.get_public_access_block(Bucket="example-reports-01")
except member.exceptions.ClientError:
    pass
records = boto3.client("s3")
try:
    records.get_object(Bucket="records", Key="key")
except records.exceptions.ClientError:
    pass
records.put_object(Bucket="records", Key="key", Body=b"{}")
member.put_public_access_block(
    Bucket="example-reports-01", PublicAccessBlockConfiguration={"BlockPublicAcls": True}
)
done.delete_item(TableName="done", Key={"id": {"S": "other"}})
"""
_TICKET_CALLS: Final = """
finding = event["detail"]["findings"][0]
tickets = boto3.resource("dynamodb").Table("tickets")
tickets.get_item(Key={"finding": "key", "tracker": "name"})
tickets.put_item(Item={"finding": "key", "tracker": "name"})
boto3.client("secretsmanager").get_secret_value(SecretId="secret")
tickets.put_item(Item={"finding": "key", "tracker": "name"})
boto3.client("securityhub").get_findings(
    Filters={"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]}
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One function and the event that it handles.

    Attributes:
        title: Its name in the table.
        function: The folder of its handler.
        event: The name of the event in tests/events.
        first_call: The first AWS call that the event leads to, made with boto3 alone.
        all_calls: All AWS calls that it leads to.
        goal: The ratio to the first call that is aimed for.
        tracker: For `tickets`, the tracker that gets the ticket.
        variables: Environment variables in addition to those of the function.
    """

    title: str
    function: str
    event: str
    first_call: str
    all_calls: str
    goal: float
    tracker: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


_PRESS: Final = "custom_action_1_finding"
_UPDATE_ALONE: Final = f"import boto3{_UPDATE}"
_REPORT: Final = """
done = boto3.client("dynamodb")
done.get_item(TableName="done", Key={"id": {"S": "key"}})
entry = {"Source": "example", "DetailType": "example", "Detail": "{}", "EventBusName": "bus"}
boto3.client("events").put_events(Entries=[entry])
"""
_PUBLISH: Final = """
import boto3
boto3.client("sns").publish(
    TopicArn="arn:aws:sns:eu-west-1:111122223333:digests", Subject="subject", Message="message"
)
"""
CASES: Final = (
    Case(
        title="update_findings",
        function="update_findings",
        event=_PRESS,
        first_call=_UPDATE_ALONE,
        all_calls=_UPDATE_ALONE,
        goal=1.25,
    ),
    Case(
        title="update_findings, outcomes",
        function="update_findings",
        event=_PRESS,
        first_call=_UPDATE_ALONE,
        all_calls=_UPDATE_ALONE + _REPORT,
        goal=1.25,
        variables={"OUTCOME_BUS": "bus", "OUTCOME_METRICS": "on"},
    ),
    Case(
        title="insight_digest",
        function="insight_digest",
        event="insight_results_few",
        first_call=_PUBLISH,
        all_calls=_PUBLISH,
        goal=1.25,
    ),
    Case(
        title="remediate, s3_public_access",
        function="remediate",
        event=_PRESS,
        first_call=_DONE_TABLE,
        all_calls=_DONE_TABLE + _REMEDIATE_CALLS + _UPDATE + _UPDATE_KEY,
        goal=1.65,
    ),
    *(
        Case(
            title=f"tickets, {tracker}",
            function="tickets",
            event=_PRESS,
            first_call=_DONE_TABLE,
            all_calls=_DONE_TABLE + _TICKET_CALLS + _UPDATE + _UPDATE_KEY,
            goal=1.65,
            tracker=tracker,
        )
        for tracker in ("slack", "jira", "servicenow", "pagerduty")
    ),
)


def _key_of(item: Mapping[str, Any]) -> str:
    return json.dumps([item.get(name) for name in ("id", "finding", "tracker")])


class AwsServer(ThreadingHTTPServer):
    """Answers the calls of the functions as AWS does where nothing was stored before."""

    def __init__(self, secret: Mapping[str, str], *, seconds: float = 0.0) -> None:
        """Listen on a free port.

        Args:
            secret: The members of every secret.
            seconds: How long it takes to answer. Default: no longer than it needs.
        """
        super().__init__(("127.0.0.1", 0), _AwsHandler)
        self.secret, self.seconds = secret, seconds
        self.items: dict[str, dict[str, Any]] = {}


class _AwsHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, for which no acknowledgement is waited
    server: AwsServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content = self._answer(body.decode())
        time.sleep(self.server.seconds)
        encoded = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def handle_expect_100(self) -> bool:
        """Let a client send its body at once, which would otherwise wait for a second."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 - the base class's names

    def _answer(self, body: str) -> tuple[int, object]:
        service, _, operation = self.headers.get("X-Amz-Target", "").rpartition(".")
        answer: object = ""  # S3's to a PUT
        if service.startswith("DynamoDB"):
            answer = self._answer_of_table(operation, json.loads(body))
        elif operation == "PutEvents":
            answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
        elif service.startswith("secretsmanager"):
            answer = {"Name": "secret", "SecretString": json.dumps(self.server.secret)}
        elif action := parse_qs(body).get("Action"):
            answer = _XML[action[0]]
        elif self.path == "/findings/batchupdate":
            answer = {"ProcessedFindings": [], "UnprocessedFindings": []}
        elif self.path == "/findings":
            answer = {"Findings": []}
        elif self.command == "GET":
            code = "NoSuchPublicAccessBlockConfiguration" if "publicAccessBlock" in self.path else "NoSuchKey"
            return 404, f"<Error><Code>{code}</Code><Message>Not found</Message></Error>"
        return 200, answer

    def _answer_of_table(self, operation: str, request: Mapping[str, Any]) -> object:
        items = self.server.items.setdefault(request["TableName"], {})
        if operation == "PutItem":
            items[_key_of(request["Item"])] = request["Item"]
        if operation == "Query":
            (wanted,) = request["ExpressionAttributeValues"].values()
            return {"Items": [item for item in items.values() if wanted in item.values()]}
        item = items.get(_key_of(request.get("Key", {})))
        return {"Item": item} if operation == "GetItem" and item else {}

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


_XML: Final = {
    "Publish": "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>",
    "AssumeRole": "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>key</AccessKeyId>"
    "<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>"
    "<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
}


def cpu_seconds(code: str, event: str, environment: Mapping[str, str]) -> float:
    """Run code in a new process and return its CPU time without that of the interpreter's own start."""
    start = _START.format(event=str(_EVENTS / f"{event}.json"))
    done = subprocess.run(  # noqa: S603 - this benchmark's own code
        [sys.executable, "-c", start + code + _END],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "lambda"),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "example",
            "AWS_SECRET_ACCESS_KEY": "example",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"A measured process failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return float(done.stdout.rpartition("CPU ")[2])


def compare(case: Case) -> None:
    """Measure a case and print its line."""
    codes = (_FUNCTION.format(name=case.function), case.first_call, case.all_calls)
    with VendorServers() as vendors:
        secret = vendors.get_secret(f"secret-of-{case.tracker}") if case.tracker else {}
        environment = {**ENVIRONMENTS[case.function], **case.variables}
        if case.tracker:
            environment |= vendors.environment(case.tracker)
        aws = AwsServer(secret)
        with serving(aws) as url:
            environment["AWS_ENDPOINT_URL"] = url
            rounds = []
            for _ in range(_ROUNDS + 1):
                rounds.append([])
                for code in codes:
                    aws.items.clear()
                    rounds[-1].append(cpu_seconds(code, case.event, environment))
    # The first round fills caches of the machine and compiles modules.
    function, first, everything = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    print(
        f"{case.title:<28}{function:>9.3f}{first:>12.3f}{function / first:>7.2f}{case.goal:>7.2f}"
        f"{everything:>12.3f}{function / everything:>7.2f}",
        flush=True,
    )


def main(*functions: str) -> None:
    """Print a table of the functions, or of those that are named."""
    print(f"CPU seconds of a cold start with its first event, medians of {_ROUNDS}")
    print(f"{'':<28}{'function':>9}{'first call':>12}{'ratio':>7}{'goal':>7}{'all calls':>12}{'ratio':>7}")
    for case in CASES:
        if not functions or case.function in functions:
            compare(case)


if __name__ == "__main__":
    main(*sys.argv[1:])
