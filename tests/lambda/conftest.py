"""Sample events, Lambda's context, and AWS in memory behind real boto3 clients.

The fakes answer where a request would leave for the network, so parameter validation, serialization,
retries and error parsing are botocore's own.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs
from uuid import uuid4
from xml.sax.saxutils import escape

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from emulator.securityhub import finding_filters
from invocation import clients
from invocation.once import RememberedWork
from invocation.stop_switch import Stops
from invocation.work_table import Record
from securityhub.findings.insights import Insight, InsightFindings
from securityhub.findings.turns import Turns

EVENTS = Path(__file__).parents[1] / "events"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:example"


@pytest.fixture
def load_event():
    def load(name):
        return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))

    return load


@pytest.fixture
def lambda_context():
    return SimpleNamespace(
        function_name="example",
        memory_limit_in_mb=256,
        invoked_function_arn=FUNCTION_ARN,
        aws_request_id="52fdfc07-2182-454f-963f-5f0f9a621d72",
        get_remaining_time_in_millis=lambda: 60_000,
    )


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # A container has one environment; each test has one of its own.
    clients.one_session.cache_clear()
    clients.create_client.cache_clear()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    # A request that a test lets fail is repeated without a pause.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def switch_at():
    """A function that returns a switch whose parameter has a value."""

    def switch(value):
        return SimpleNamespace(read=lambda: Stops.parse(value, parameter="/changes"))

    return switch


@pytest.fixture
def stop(monkeypatch, switch_at):
    """A function that sets the parameter which a handler reads to a value."""
    return lambda handler, value: monkeypatch.setattr(handler, "switch", switch_at(value))


@pytest.fixture
def function_aws(embedded_aws, monkeypatch):
    """The embedded AWS, to which the clients lead that a function makes."""
    for name, value in embedded_aws.settings().items():
        monkeypatch.setenv(name, value)
    return embedded_aws


@pytest.fixture
def work_table_name(function_aws):
    """The name of a new table like that of `WorkTable`."""
    name = f"done-{uuid4().hex[:12]}"
    function_aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def cold_start(monkeypatch):
    """Import a handler anew, as Lambda does in a new container, with the given environment variables."""

    def start(module, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(module)

    return start


class _Body:
    def __init__(self, content):
        self._content = content

    def stream(self, *_, **__):
        yield self._content

    def read(self, *_, **__):
        return self._content


def _answer(request, status, content, content_type):
    headers = {"content-type": content_type, "x-amzn-requestid": "1b2c"}
    return AWSResponse(request.url, status, headers, _Body(content.encode()))


class FakeSecurityHub:
    """BatchUpdateFindings on findings in memory, with its limits and its unprocessed findings."""

    def __init__(self):
        self.findings = {}
        self.requests = []
        self.refusals = []
        self.unprocessed = {}

    def attach(self, client):
        client.meta.events.register("before-send.securityhub.BatchUpdateFindings", self._receive)
        client.meta.events.register("before-send.securityhub.GetFindings", self._find)
        return client

    def import_findings(self, findings):
        for finding in findings:
            self.findings[finding["ProductArn"], finding["Id"]] = json.loads(json.dumps(finding))

    def finding(self, finding):
        return self.findings[finding["ProductArn"], finding["Id"]]

    def _receive(self, request, **_):
        body = json.loads(request.body)
        self.requests.append(body)
        if self.refusals:
            return self._refuse(request, *self.refusals.pop(0))
        if len(body["FindingIdentifiers"]) > 100:
            return self._refuse(request, 400, "InvalidInputException", "More than 100 finding identifiers")
        if not 1 <= len(body["Note"]["Text"]) <= 512 or not 1 <= len(body["Note"]["UpdatedBy"]) <= 512:
            return self._refuse(request, 400, "InvalidInputException", "Note is too long")
        processed, unprocessed = [], []
        for identifier in body["FindingIdentifiers"]:
            code = self._update(identifier, body)
            if code is None:
                processed.append(identifier)
            else:
                unprocessed.append(
                    {"FindingIdentifier": identifier, "ErrorCode": code, "ErrorMessage": f"Because: {code}"}
                )
        answer = {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}
        return _answer(request, 200, json.dumps(answer), "application/json")

    def _find(self, request, **_):
        if self.refusals:
            return self._refuse(request, *self.refusals.pop(0))
        (product,), (identifier,) = (
            json.loads(request.body)["Filters"][name] for name in ("ProductArn", "Id")
        )
        assert {product["Comparison"], identifier["Comparison"]} == {"EQUALS"}
        found = self.findings.get((product["Value"], identifier["Value"]))
        answer = json.dumps({"Findings": [found] if found else []})
        return _answer(request, 200, answer, "application/json")

    def _update(self, identifier, body):
        if body["FindingIdentifiers"].count(identifier) > 1:
            return "DuplicatedFindingIdentifier"
        finding = self.findings.get((identifier["ProductArn"], identifier["Id"]))
        if finding is None:
            return "FindingNotFound"
        if self.unprocessed.get(identifier["Id"]):
            return self.unprocessed[identifier["Id"]].pop(0)
        finding["Workflow"] = body.get("Workflow", finding.get("Workflow"))
        finding["Note"] = body["Note"]
        finding["UserDefinedFields"] = body.get("UserDefinedFields", finding.get("UserDefinedFields", {}))
        return None

    def _refuse(self, request, status, code, message):
        response = _answer(
            request, status, json.dumps({"Code": code, "Message": message}), "application/json"
        )
        response.headers["x-amzn-errortype"] = code
        return response


class FakeSecurityHubV2:
    """BatchUpdateFindingsV2 and GetFindingsV2 on findings in memory, by metadata UID.

    Attributes:
        requests: the bodies of updates, oldest first.
        refusals: status, code and message of requests to refuse.
        unprocessed: by metadata UID, the codes with which the next updates of a finding fail.
    """

    def __init__(self):
        self.findings = {}
        self.requests = []
        self.refusals = []
        self.unprocessed = {}

    def attach(self, client):
        client.meta.events.register("before-send.securityhub.BatchUpdateFindingsV2", self._receive)
        client.meta.events.register("before-send.securityhub.GetFindingsV2", self._find)
        return client

    def send(self, *findings):
        """Keep findings as the hub has them."""
        for finding in findings:
            self.findings[finding["metadata"]["uid"]] = json.loads(json.dumps(finding))

    def _receive(self, request, **_):
        body = json.loads(request.body)
        self.requests.append(body)
        assert request.method == "PATCH"
        if self.refusals:
            return self._refuse(request, *self.refusals.pop(0))
        if ("MetadataUids" in body) == ("FindingIdentifiers" in body) or len(body["MetadataUids"]) > 100:
            return self._refuse(request, 400, "ValidationException", "Identify up to 100 in one way")
        if not 1 <= len(body.get("Comment", "one")) <= 512:
            return self._refuse(request, 400, "ValidationException", "Comment is too long")
        processed, unprocessed = [], []
        for uid in body["MetadataUids"]:
            code = self._update(uid, body)
            if code is None:
                processed.append({"MetadataUid": uid})
            else:
                unprocessed.append(
                    {"MetadataUid": uid, "ErrorCode": code, "ErrorMessage": f"Because: {code}"}
                )
        answer = {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}
        return _answer(request, 200, json.dumps(answer), "application/json")

    def _update(self, uid, body):
        if uid not in self.findings:
            return "ResourceNotFoundException"
        if self.unprocessed.get(uid):
            return self.unprocessed[uid].pop(0)
        names = {1: "New", 2: "In Progress", 3: "Suppressed", 4: "Resolved"}
        changes = {"comment": body["Comment"]} if "Comment" in body else {}
        if "StatusId" in body:
            changes |= {"status_id": body["StatusId"], "status": names[body["StatusId"]]}
        self.findings[uid] |= changes
        return None

    def _find(self, request, **_):
        if self.refusals:
            return self._refuse(request, *self.refusals.pop(0))
        (composite,) = json.loads(request.body)["Filters"]["CompositeFilters"]
        assert composite["Operator"] == "AND"
        wanted = {one["FieldName"]: one["Filter"]["Value"] for one in composite["StringFilters"]}
        found = [
            finding
            for finding in self.findings.values()
            if wanted
            == {
                "finding_info.uid": finding["finding_info"]["uid"],
                "metadata.product.uid": finding["metadata"]["product"]["uid"],
                "cloud.account.uid": finding["cloud"]["account"]["uid"],
            }
        ]
        return _answer(request, 200, json.dumps({"Findings": found}), "application/json")

    def _refuse(self, request, status, code, message):
        response = _answer(
            request, status, json.dumps({"Code": code, "Message": message}), "application/json"
        )
        response.headers["x-amzn-errortype"] = code
        return response


class FakeTopic:
    """Publish on one SNS topic in memory, with SNS's limits on subject and message."""

    def __init__(self, arn):
        self.arn = arn
        self.messages = []

    def attach(self, client):
        client.meta.events.register("before-send.sns.Publish", self._receive)
        return client

    def _receive(self, request, **_):
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        fields = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if fields["TopicArn"] != self.arn:
            return self._refuse(request, 404, "NotFound", "Topic does not exist")
        subject = fields["Subject"]
        if not subject.isascii() or not subject.isprintable() or not 1 <= len(subject) < 100:
            return self._refuse(request, 400, "InvalidParameter", "Invalid parameter: Subject")
        if len(fields["Message"].encode()) > 262_144:
            return self._refuse(request, 400, "InvalidParameter", "Invalid parameter: Message too long")
        self.messages.append((subject, fields["Message"]))
        return _answer(
            request,
            200,
            "<PublishResponse><PublishResult><MessageId>94f20ce6</MessageId></PublishResult></PublishResponse>",
            "text/xml",
        )

    def _refuse(self, request, status, code, message):
        error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        return _answer(request, status, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>", "text/xml")


class MemoryStore:
    """What `WorkTable` keeps in DynamoDB, with its conditions.

    Attributes:
        seconds: the time, which passes only when a test says so.
        items: leases and results, by key.
    """

    def __init__(self):
        self.seconds = 1_700_000_000.0
        self.items = {}

    def clock(self):
        return self.seconds

    def sleep(self, seconds):
        """Let time pass."""
        self.seconds += seconds

    def once(self):
        """What an invocation uses to work once, without a thread that renews leases."""
        return RememberedWork(
            self,
            clock=self.clock,
            renewing=lambda _: nullcontext(),
            sleep=lambda seconds: self.sleep(seconds),  # noqa: PLW0108 - a test can replace it
        )

    def turns(self):
        """What functions use to write to findings in turns: their waiting alone lets time pass."""
        return Turns(
            self,
            clock=self.clock,
            renewing=lambda _: nullcontext(),
            sleep=lambda seconds: self.sleep(seconds),  # noqa: PLW0108 - as above
        )

    def claim(self, key, *, attempt, now, lease_ends, expires):
        item = self.items.get(key)
        if item and item["expires"] >= now and not self._has_lapsed(item, now) and item["attempt"] != attempt:
            return Record(result=item["result"])
        self.items[key] = {
            "attempt": attempt,
            "lease_ends": lease_ends,
            "expires": expires,
            "result": None,
        }
        return None

    def renew(self, key, *, attempt, lease_ends):
        item = self.items.get(key)
        if item is None or item["attempt"] != attempt or item["result"] is not None:
            return False
        item["lease_ends"] = lease_ends
        return True

    def complete(self, key, *, attempt, result, expires):
        item = self.items.get(key)
        if item is None or item["attempt"] != attempt:
            return False
        item |= {"result": json.loads(json.dumps(result)), "expires": expires}
        return True

    def release(self, key, *, attempt):
        if key in self.items and self.items[key]["attempt"] == attempt:
            del self.items[key]

    def forget(self, key, *, now):
        item = self.items.get(key)
        if item and item["result"] is None and not self._has_lapsed(item, now):
            return False
        self.items.pop(key, None)
        return True

    def recall(self, key, *, now):
        item = self.items.get(key)
        return item["result"] if item and item["expires"] >= now else None

    def keep(self, key, result, *, expires):
        kept = json.loads(json.dumps(result))
        self.items[key] = {"attempt": None, "lease_ends": 0, "expires": expires, "result": kept}

    @staticmethod
    def _has_lapsed(item, now):
        return item["result"] is None and item["lease_ends"] < now


class FakeInsights:
    """One insight and its findings in memory, evaluated by the embedded AWS; and the notices.

    Attributes:
        insight_or_error: the insight, or what reading it raises.
        stored: the findings.
        page: how many findings a page has.
        requests: the filters of each request for findings.
        messages: what was published.
    """

    def __init__(self, store):
        self.store = store
        self.insight_or_error = Insight(filters={}, group_by_attribute="ResourceId")
        self.stored, self.requests, self.messages, self.page = [], [], [], 100

    def insight(self, _arn):
        if isinstance(self.insight_or_error, Exception):
            raise self.insight_or_error
        return self.insight_or_error

    def findings(self, filters):
        finding_filters.check(filters)
        self.requests.append(filters)
        found = [finding for finding in self.stored if finding_filters.matches(finding, filters)]
        ordered = finding_filters.sort(found, [{"Field": "SeverityNormalized", "SortOrder": "desc"}])
        for start in range(0, max(len(ordered), 1), self.page):
            yield ordered[start : start + self.page]

    def publish(self, message):
        self.messages.append(message)

    def resolver(self, *, has_topic=True, **settings):
        notices = (lambda: self) if has_topic else None
        return InsightFindings(reader=self, once=self.store.once, notices=notices, **settings)


@pytest.fixture
def fake_insights(memory_store):
    return FakeInsights(memory_store)


@pytest.fixture
def memory_store():
    return MemoryStore()


@pytest.fixture
def fake_security_hub():
    return FakeSecurityHub()


@pytest.fixture
def fake_security_hub_v2():
    return FakeSecurityHubV2()


@pytest.fixture
def fake_topic():
    return FakeTopic("arn:aws:sns:eu-west-1:111122223333:digests")
