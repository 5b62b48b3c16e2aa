"""Send imported findings through the embedded AWS: Security Hub, rule, queue, the function for tickets, Jira.

The stack is the one that is deployed; only Jira is a local server. It prints a line whenever another part of
the findings has its tickets, and at the end what is lost or there twice. All of it shares this machine, the
embedded AWS included, so the figures are no speed of AWS: what counts is that nothing is missing at the end,
and that the memory doesn't grow with what has been done.

Run it with `python benchmarks/load_embedded.py`, or with the number of findings after it. 10,000 take about
half an hour on two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from aws_cdk import App, Environment  # noqa: E402 - after the project's folder is known

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws  # noqa: E402 - as above
from stacks.settings import TicketingSettings  # noqa: E402 - as above
from stacks.ticketing import TicketingStack  # noqa: E402 - as above
from tests.e2e.findings import control_finding, import_findings  # noqa: E402 - as above
from tests.e2e.observed import waiting  # noqa: E402 - as above
from tests.e2e.stacks import deploy_synthesized, physical_id, prepare_region  # noqa: E402 - as above
from tests.e2e.trackers import connect  # noqa: E402 - as above
from tests.shipped_settings import load_shipped_settings  # noqa: E402 - as above
from tests.vendor_servers.servers import VendorServers  # noqa: E402 - as above

_FINDINGS: Final = 10_000
_LINES: Final = 10
_BATCH: Final = 100
"""The findings that BatchImportFindings takes at once."""
_CONCURRENCY: Final = 5
_STACK: Final = "LoadedTickets"
_SECRET: Final = "securityhub-actions/jira"  # noqa: S105 - its name


def deploy(aws: EmbeddedAws, vendors: VendorServers, folder: Path) -> None:
    """Deploy ticketing with Jira, and with a limit that holds no ticket back."""
    values = load_shipped_settings().ticketing.model_dump() | {"enabled": True}
    values["maximum_concurrency"] = _CONCURRENCY
    values["jira"] |= {"enabled": True, "tickets_per_account_and_hour": _FINDINGS}
    values["automatic"]["filter"] = {"severity": ["CRITICAL"]}
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = App(context=context, analytics_reporting=False, outdir=str(folder))
    stack = TicketingStack(
        app,
        _STACK,
        settings=TicketingSettings.model_validate(values),
        env=Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION),
    )
    connect(aws, stack, vendors, {"jira": _SECRET})
    app.synth()
    prepare_region(aws, DEFAULT_REGION)
    deploy_synthesized(aws, folder, _STACK, region=DEFAULT_REGION)


def findings_of(number: int) -> Iterator[list[dict[str, Any]]]:
    """Yield findings in batches."""
    for first in range(0, number, _BATCH):
        last = min(first + _BATCH, number)
        yield [control_finding("S3.8", one, Severity={"Label": "CRITICAL"}) for one in range(first, last)]


def megabytes() -> float:
    """Return the memory of all processes that this one has started, in MB."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)  # noqa: S607
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    ours = {os.getpid()}
    while more := {pid for pid, parent, _ in rows if parent in ours} - ours:
        ours |= more
    return sum(rss for pid, _, rss in rows if pid in ours) / 1024


def linked(aws: EmbeddedAws) -> Mapping[str, str]:
    """Return the tickets that the findings name, by the ID of the finding."""
    pages = aws.client("securityhub").get_paginator("get_findings").paginate()
    return {
        one["Id"]: one["UserDefinedFields"]["Tickets"]
        for page in pages
        for one in page["Findings"]
        if "Tickets" in one.get("UserDefinedFields", {})
    }


def main() -> None:
    """Print what became of the findings."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else _FINDINGS
    with EmbeddedAws.start() as aws, VendorServers() as vendors, tempfile.TemporaryDirectory() as name:
        aws.client("securityhub").enable_security_hub()
        deploy(aws, vendors, Path(name))
        print(f"{'tickets':>10}{'seconds':>9}{'a second':>10}{'MB':>8}", flush=True)
        began = time.monotonic()
        for batch in findings_of(number):
            import_findings(aws, batch)
        for line in range(1, _LINES + 1):
            wanted = number * line // _LINES
            aws.wait_until(
                lambda wanted=wanted: len(vendors.jira.issues) >= wanted,
                what=f"{wanted} tickets",
                progress=lambda: len(vendors.jira.issues),
            )
            seconds = time.monotonic() - began
            print(f"{wanted:>10,}{seconds:>9.0f}{wanted / seconds:>10.1f}{megabytes():>8.0f}", flush=True)
        queues = [
            physical_id(aws, _STACK, "AWS::SQS::Queue", one)
            for one in ("NewFindingsQueue", "SecurityHubDeadLetterQueue")
        ]
        aws.wait_until(lambda: waiting(aws, queues[0]) == 0, what="the end of the queue")
        found = linked(aws)
        twice = sum(one > 1 for one in Counter(found.values()).values())
        more = len(vendors.jira.issues) - number
        lost = number - len(found)
        print(f"lost {lost}, twice {twice + more}, dead letters {waiting(aws, queues[1])}")
        if lost or twice or more:
            sys.exit(1)


if __name__ == "__main__":
    main()
