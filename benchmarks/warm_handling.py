"""Compare the handling of 20 findings in a warm container with its calls alone.

A new Python process for each function handles events of 20 findings each. What it asks AWS and the tracker
for one of them is recorded, and asked again in turns with handling the others: AWS by botocore's clients, the
tracker by Python's `http.client` with a connection that is kept. A server in this process answers both. The
figures are medians of CPU seconds for an event, the median ratio of the two, what the function adds to each
call, and the numbers of calls.

No call travels far here; the longer one takes, the nearer is the ratio of what people wait for to 1. The last
column is that ratio if AWS answers after 10 ms. DynamoDB takes less; the other services promise nothing.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Introduction.html

Run it with `python benchmarks/warm_handling.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cold_start import ENVIRONMENTS, REGION, AwsServer

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the trackers' servers of the tests

from tests.serving import serving  # noqa: E402 - after its folder is known
from tests.vendor_servers.servers import VendorServers  # noqa: E402 - after its folder is known

_EVENTS: Final = 15
_EVENTS_THAT_WAIT: Final = 5
_ANSWER_SECONDS: Final = 0.01
_PROGRAM: Final = """
import copy, http.client, json, statistics, sys, time
from importlib import import_module
from types import SimpleNamespace

from botocore.client import BaseClient
from botocore.session import Session

from invocation.clients import client_config, one_session

name, file, number, tracker = sys.argv[1:]
calls, requests, created, is_recording = [], [], [], False
create, make_call = Session.create_client, BaseClient._make_api_call
def create_and_record(self, *given, **named):
    client = create(self, *given, **named)
    if is_recording:
        created.append(client)
    return client
def call_and_record(self, operation, params):
    if is_recording:
        calls.append((self, operation, copy.deepcopy(params)))
    return make_call(self, operation, params)
Session.create_client, BaseClient._make_api_call = create_and_record, call_and_record
def listen(event, arguments):
    if is_recording and event == "http.client.send" and f"{arguments[0].host}:{arguments[0].port}" == tracker:
        head, _, body = bytes(arguments[1]).partition(b"\\r\\n\\r\\n")
        first, *lines = head.decode().split("\\r\\n")
        if first.endswith(" HTTP/1.1"):
            headers = dict(line.split(": ", 1) for line in lines)
            headers.pop("Connection", None)
            requests.append([*first.split(" ")[:2], body, headers])
        else:
            requests[-1][2] += bytes(arguments[1])
sys.addaudithook(listen)
handle = import_module(f"functions.{name}.handler").handle
context = SimpleNamespace(
    function_name="example", memory_limit_in_mb="256", aws_request_id="request",
    invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:example",
    get_remaining_time_in_millis=lambda: 300_000,
)
sample = json.load(open(file, encoding="utf-8"))
# As most events, it's handled at once. An old one could be a retry.
sample["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
def event(number):
    changed = copy.deepcopy(sample) | {"id": f"event-{number}"}
    for finding in changed["detail"]["findings"]:
        finding["Id"] += f"-{number}"
    return changed
first, recorded, *events = [event(index) for index in range(int(number) + 2)]
handle(first, context)
is_recording = True
handle(recorded, context)
is_recording = False

Session.create_client, BaseClient._make_api_call = create, make_call

def ask_aws():
    # Credentials of a role need clients of their own, whoever asks with them.
    own = {}
    for client, operation, params in calls:
        if client in created:
            if client not in own:
                own[client] = one_session().create_client(
                    client.meta.service_model.service_name, config=client_config()
                )
            client = own[client]
        try:
            client._make_api_call(operation, params)
        except client.exceptions.ClientError:
            pass
connection = http.client.HTTPConnection(tracker) if tracker else None
def ask_tracker(method, path, body, headers):
    connection.request(method, path, body, headers)
    connection.getresponse().read()
def ask_all():
    ask_aws()
    for request in requests:
        ask_tracker(*request)
def seconds(run):
    began, began_to_work = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - began_to_work, time.perf_counter() - began
ask_all()
both = [(seconds(lambda: handle(one, context)), seconds(ask_all)) for one in events]
medians = [statistics.median(cpu for cpu, _ in times) for times in zip(*both)]
ratios = [
    statistics.median(handled[clock] / alone[clock] for handled, alone in both) for clock in range(2)
]
print(json.dumps([*medians, *ratios, len(calls), len(requests)]), file=sys.stderr)
"""
_CASES: Final = {
    "update_findings": "",
    "tickets": "slack",
    "remediate": "",
}


class Measured(NamedTuple):
    """What one event took, in CPU seconds, how that compares, also in time, and how much it asks."""

    handled: float
    alone: float
    ratio: float
    ratio_in_time: float
    calls: int
    requests: int

    @property
    def milliseconds_more_a_call(self) -> float:
        """What the function takes for itself, divided by the calls."""
        return (self.handled - self.alone) * 1000 / (self.calls + self.requests)


def measure(function: str, tracker: str, *, events: int, answer_seconds: float = 0.0) -> Measured:
    """Measure one function, with a tracker if it has one, and with an AWS that takes its time."""
    with VendorServers() as vendors:
        environment, host = dict(ENVIRONMENTS[function]), ""
        if tracker:
            environment |= vendors.environment(tracker)
            host = urlsplit(vendors.server(tracker).url).netloc
        secret = vendors.get_secret(f"secret-of-{tracker}") if tracker else {}
        server = AwsServer(secret, seconds=answer_seconds)
        with serving(server) as url:
            done = subprocess.run(  # noqa: S603 - this benchmark's own code
                [
                    sys.executable,
                    "-c",
                    _PROGRAM,
                    function,
                    str(ROOT / "tests" / "events" / "custom_action_20_findings.json"),
                    str(events),
                    host,
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT / "lambda"),
                    "AWS_REGION": REGION,
                    "AWS_DEFAULT_REGION": REGION,
                    "AWS_ACCESS_KEY_ID": "example",
                    "AWS_SECRET_ACCESS_KEY": "example",
                    "AWS_ENDPOINT_URL": url,
                    **environment,
                },
                capture_output=True,
                text=True,
                check=False,
            )
    if done.returncode:
        sys.exit(f"{function} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return Measured(*json.loads(done.stderr.splitlines()[-1]))


def main() -> None:
    """Print a table of the functions."""
    print(f"CPU seconds for an event of 20 findings in a warm container, medians of {_EVENTS} events")
    print(
        f"{'':<20}{'function':>10}{'alone':>9}{'ratio':>7}{'more ms a call':>16}{'AWS':>6}{'tracker':>9}"
        f"{'ratio in time':>15}"
    )
    for function, tracker in _CASES.items():
        found = measure(function, tracker, events=_EVENTS)
        waited = measure(function, tracker, events=_EVENTS_THAT_WAIT, answer_seconds=_ANSWER_SECONDS)
        print(
            f"{function:<20}{found.handled:>10.4f}{found.alone:>9.4f}{found.ratio:>7.2f}"
            f"{found.milliseconds_more_a_call:>16.2f}{found.calls:>6}{found.requests:>9}"
            f"{waited.ratio_in_time:>15.2f}"
        )


if __name__ == "__main__":
    main()
