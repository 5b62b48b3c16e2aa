"""Start the embedded AWS and talk to it.

```python
with EmbeddedAws.start() as aws:
    hub = aws.client("securityhub")
    subprocess.run(["cdk", "deploy"], env=aws.environment())
```
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import boto3
import botocore.session
from botocore.config import Config

from emulator.delivery.log import Delivery
from emulator.launching import EmulatorError, await_port, end_of_log, remove, spawn, stop
from emulator.waiting import PATIENCE_SECONDS, wait_for

DEFAULT_ACCOUNT: Final = "111122223333"
DEFAULT_REGION: Final = "eu-west-1"


# A call that is repeated because the machine is slow would be done twice.
_READ_TIMEOUT_SECONDS: Final = 600


_NO_USER_SETTINGS: Final = {
    # botocore's form: name in the config file, environment variable, default, conversion.
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ca_bundle": (None, None, None, None),
}
_T = TypeVar("_T")


@functools.cache
def _session() -> boto3.session.Session:
    """The session of all clients, since it keeps the service models, which take long to read."""
    return boto3.session.Session(botocore_session=botocore.session.Session(session_vars=_NO_USER_SETTINGS))


class EmbeddedAws:
    """A running embedded AWS. Obtain it from `start`, or `connect` to one that another process started.

    Attributes:
        endpoint_url: Where every service answers, ``http://127.0.0.1:PORT``.
    """

    def __init__(self, endpoint_url: str, started: tuple[subprocess.Popen[str], Path] | None = None) -> None:
        self.endpoint_url = endpoint_url
        self._started = started
        self._clients: dict[tuple[str, str, str], Any] = {}

    @classmethod
    @contextlib.contextmanager
    def start(cls, *, retry_second: float = 0.0001, visibility_second: float = 1) -> Iterator[Self]:
        """Start a server on a free port, and stop it at the end of the block.

        The server keeps its state in a private temporary folder. Nothing is left of it afterwards, no process
        and no file, also after an exception, Ctrl-C or the sudden death of the calling process.

        Args:
            retry_second: How long a second of the retry schedules of EventBridge and Lambda lasts here, in
                seconds. The default lets a target with EventBridge's own retry policy, 185 attempts within
                24 hours, be given up after some nine seconds.
            visibility_second: How long a second lasts of the time for which a queue hides a message that a
                Lambda function failed to handle, in seconds. Leases of functions last as long as on AWS.
                Default: 1, which is real time.

        Yields:
            The server, ready to answer.

        Raises:
            EmulatorError: It did not start; the message holds the end of its log.
        """
        folder = Path(tempfile.mkdtemp(prefix="embedded-aws-"))
        process: subprocess.Popen[str] | None = None
        try:
            process = spawn(folder, retry_second, visibility_second)
            yield cls(f"http://127.0.0.1:{await_port(process, folder)}", (process, folder))
        finally:
            if process is not None:
                stop(process)
            remove(folder)

    @classmethod
    def connect(cls, endpoint_url: str) -> Self:
        """Use a server that another process started and stops.

        Args:
            endpoint_url: Its address, ``http://127.0.0.1:PORT``.

        Raises:
            EmulatorError: Nothing answers there, or it isn't the embedded AWS of this project.
        """
        aws = cls(endpoint_url)
        aws.request("GET", "/_emulator/events?account=000000000000&region=us-east-1")
        return aws

    def require_running(self) -> None:
        """Make sure that the server that `start` started still runs.

        Raises:
            EmulatorError: It ended by itself; the message holds the end of its log.
        """
        if self._started is not None and (code := self._started[0].poll()) is not None:
            raise EmulatorError(
                f"The embedded AWS ended by itself with exit code {code}. {end_of_log(self._started[1])}"
            )

    def environment(self, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> dict[str, str]:
        """The environment for a subprocess that uses this server and none of the user's AWS settings.

        Args:
            account: The 12-digit account to act in; the server takes the access key for the account.
            region: The Region to act in.

        Returns:
            This process's environment without its ``AWS_*``, certificate and proxy settings, plus the
            endpoint, credentials, and Region of the embedded AWS.
        """
        kept = {key: value for key, value in os.environ.items() if not _is_foreign_setting(key)}
        return kept | self.settings(account=account, region=region)

    def settings(self, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> dict[str, str]:
        """The environment variables that point an AWS SDK or CLI to this server.

        Raises:
            ValueError: The account is not a 12-digit number.
        """
        if not re.fullmatch(r"\d{12}", account):
            raise ValueError(f"An account is a 12-digit number, but {account!r} was given.")
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def client(self, service: str, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """A boto3 client of this server, independent of the user's AWS settings.

        Args:
            service: The service's name in boto3, for example ``"securityhub"``.
            account: The 12-digit account to act in.
            region: The Region to act in.
        """
        key = (service, account, region)
        if key not in self._clients:
            # The server takes any secret.
            own = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
            self._clients[key] = self._new_client(service, region, own)
        return self._clients[key]

    def client_of_session(
        self, credentials: Mapping[str, Any], service: str, *, region: str = DEFAULT_REGION
    ) -> Any:  # noqa: ANN401
        """A boto3 client of this server that calls as a session of a role.

        Args:
            credentials: The credentials of the session, as STS returns them.
            service: The service's name in boto3.
            region: The Region to act in.
        """
        keys = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
        return self._new_client(service, region, keys)

    def _new_client(self, service: str, region: str, credentials: Mapping[str, str]) -> Any:  # noqa: ANN401
        # boto3's type information lists a client for each literal name; here the name is a variable.
        connect: Any = _session().client
        return connect(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            **credentials,
            config=Config(proxies={}, s3={"addressing_style": "path"}, read_timeout=_READ_TIMEOUT_SECONDS),
        )

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send a JSON request to one of this project's own endpoints and return the JSON answer.

        Raises:
            EmulatorError: The server refused the request and says why, or it doesn't answer.
        """
        address = urlsplit(self.endpoint_url).netloc
        connection = http.client.HTTPConnection(address, timeout=_READ_TIMEOUT_SECONDS)
        payload = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        except OSError as error:
            raise EmulatorError(
                f"The embedded AWS does not answer at {self.endpoint_url}: {error}."
            ) from error
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text}
        if response.status >= http.client.BAD_REQUEST or not isinstance(answer, dict):
            raise EmulatorError(
                f"{method} {path} failed with {response.status}: {answer.get('message', text)}"
            )
        return answer

    def press(
        self,
        action_arn: str,
        *,
        findings: Sequence[Mapping[str, Any]] = (),
        finding_ids: Sequence[str] = (),
        insight_arn: str | None = None,
        result_values: Sequence[str] | None = None,
        one_event_per_finding: bool = False,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
    ) -> list[dict[str, Any]]:
        """Press a custom action, as an analyst does in the Security Hub console.

        Args:
            action_arn: The custom action's ARN.
            findings: The selected findings, 1 to 20; only ``Id`` and ``ProductArn`` of each are used.
            finding_ids: Instead of findings: their IDs or ARNs.
            insight_arn: Instead of findings: the insight whose results are selected.
            result_values: The selected results of the insight, 1 to 100; all of them by default.
            one_event_per_finding: Whether each finding travels alone; by default one event holds them all.
            account: Where the button is pressed.
            region: Where the button is pressed.

        Returns:
            The events that were sent, as rules see them.

        Raises:
            EmulatorError: Nothing or too much is selected, or something that is named doesn't exist.
        """
        body: dict[str, object] = {
            "account": account,
            "region": region,
            "action_arn": action_arn,
            "one_event_per_finding": one_event_per_finding,
        }
        if findings:
            body["findings"] = [{"Id": one["Id"], "ProductArn": one["ProductArn"]} for one in findings]
        if finding_ids:
            body["finding_arns"] = list(finding_ids)
        if insight_arn is not None:
            body["insight_arn"] = insight_arn
        if result_values is not None:
            body["result_values"] = list(result_values)
        events: list[dict[str, Any]] = self.request("POST", "/_securityhub/press", body)["events"]
        return events

    def inject_fault(
        self,
        *,
        operation: str | None = None,
        error: str | None = None,
        count: int = 1,
        finding: Mapping[str, Any] | None = None,
        message: str | None = None,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
    ) -> None:
        """Make Security Hub fail: the next calls of an operation, or every update of a finding.

        Args:
            operation: The operation that fails, for example ``"UpdateActionTarget"``.
            error: The error, for example ``"LimitExceededException"``; for a finding its ErrorCode, by
                default ``"FindingNotFound"``.
            count: How many calls fail; 0 ends an earlier fault.
            finding: Instead of an operation: the finding that BatchUpdateFindings leaves unprocessed.
            message: The error's message.
            account: Where it fails.
            region: Where it fails.

        Raises:
            EmulatorError: The operation or the error doesn't exist.
        """
        body: dict[str, object] = {"account": account, "region": region}
        if finding is None:
            body |= {"operation": operation, "count": count}
        else:
            body["finding"] = {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}
        body |= {key: value for key, value in (("error", error), ("message", message)) if value is not None}
        self.request("POST", "/_securityhub/faults", body)

    def events(self, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> list[dict[str, Any]]:
        """The newest 2,000 events on the buses of the account and Region, oldest first.

        Returns:
            The events as rules see them, with ``id``, ``source``, ``detail-type``, ``resources``, ``detail``.
        """
        answer = self.request("GET", f"/_emulator/events?{urlencode({'account': account, 'region': region})}")
        return [entry["event"] for entry in answer["events"]]

    def deliveries(self, **wanted: str | int) -> list[Delivery]:
        """The newest 2,000 deliveries of events that matched a rule, oldest first.

        Args:
            **wanted: Values that a delivery must have: any field of `Delivery`, or ``account`` and ``region``
                of its rule. ``deliveries(event_id=..., outcome="delivered")``.

        Raises:
            ValueError: There is no such field.
        """
        allowed = {field.name for field in dataclasses.fields(Delivery)} | {"account", "region"}
        if unknown := sorted(wanted.keys() - allowed):
            raise ValueError(f"A delivery has no {', '.join(unknown)}; use {', '.join(sorted(allowed))}.")
        answer = self.request("GET", f"/_emulator/deliveries?{urlencode(wanted)}")
        return [Delivery.from_json(entry) for entry in answer["deliveries"]]

    def progress(self) -> int:
        """How often anything has changed in the log of events, deliveries, and asynchronous invocations."""
        changes: int = self.request("GET", "/_emulator/progress")["changes"]
        return changes

    def invocations(self) -> int:
        """How many asynchronous invocations of Lambda functions run, or will be retried."""
        number: int = self.request("GET", "/_emulator/progress")["invocations"]
        return number

    def wait_until(
        self,
        condition: Callable[[], _T | None],
        *,
        what: str,
        progress: Callable[[], object] = lambda: None,
        patience: float = PATIENCE_SECONDS,
    ) -> _T:
        """Call a function until its result is true, as long as something happens on this server.

        Args:
            condition: The function. Its first true result is returned.
            what: What the wait is for, in the error message: "the Lambda function's answer".
            progress: Returns something that differs whenever work has been done elsewhere. The events and
                deliveries of this server count in any case.
            patience: After how many seconds without progress the wait ends with an error.

        Raises:
            TimeoutError: There was no more progress. The message has it, `what`, and the last result.
        """
        return wait_for(
            condition, what=what, progress=lambda: (self.progress(), progress()), patience=patience
        )


def _is_foreign_setting(name: str) -> bool:
    return name.upper().startswith("AWS_") or name.upper() in {
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    }
