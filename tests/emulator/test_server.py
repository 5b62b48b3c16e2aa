from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from emulator.launching import EmulatorError
from emulator.server import EmbeddedAws
from emulator.waiting import LONGEST_SECONDS

ROOT = Path(__file__).resolve().parents[2]
LAMBDA_WORKER = """
    import io, zipfile
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "import os, time\\ndef handle(event, context):\\n    return os.getpid()")
    functions = aws.client("lambda")
    functions.create_function(FunctionName="f", Runtime="python3.13", Handler="index.handle",
                              Role="arn:aws:iam::111122223333:role/r", Code={"ZipFile": packed.getvalue()})
    worker = functions.invoke(FunctionName="f")["Payload"].read().decode()
"""


def process_is_there(pid):
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def start_script(body, tmp_path):
    """A Python process that starts a server with its folder in `tmp_path`, and prints what `body` says."""
    script = "from emulator.server import EmbeddedAws\nimport os, sys, time\n" + textwrap.dedent(body)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603


def with_lambda(ending):
    lines = textwrap.indent(textwrap.dedent(LAMBDA_WORKER), "    ")
    return f"with EmbeddedAws.start() as aws:\n{lines}\n    print(worker, flush=True)\n    {ending}\n"


def test_a_clean_stop_leaves_no_worker_and_no_folder(tmp_path, embedded_aws):
    process = start_script(with_lambda("pass"), tmp_path)
    worker = int(process.communicate(timeout=LONGEST_SECONDS)[0])
    assert process.returncode == 0
    embedded_aws.wait_until(lambda: not process_is_there(worker), what="the end of the worker")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, *(pytest.param(how, marks=pytest.mark.long) for how in (signal.SIGTERM, signal.SIGINT))],
)
@pytest.mark.usefixtures("interruptible")
def test_the_death_of_the_parent_ends_the_server_and_its_workers(tmp_path, embedded_aws, how):
    process = start_script(with_lambda("time.sleep(600)"), tmp_path)
    worker = int(process.stdout.readline())
    assert process_is_there(worker)
    process.send_signal(how)
    process.communicate(timeout=LONGEST_SECONDS)
    embedded_aws.wait_until(lambda: not process_is_there(worker), what="the end of the worker")
    embedded_aws.wait_until(lambda: not list(tmp_path.iterdir()), what="the end of the folder")


def test_an_exception_stops_the_server(tmp_path, embedded_aws):
    process = start_script(with_lambda("raise SystemExit(3)"), tmp_path)
    worker = int(process.communicate(timeout=LONGEST_SECONDS)[0])
    assert process.returncode == 3
    embedded_aws.wait_until(lambda: not process_is_there(worker), what="the end of the worker")
    assert list(tmp_path.iterdir()) == []


def test_what_a_lambda_started_ends_even_if_the_server_was_killed(tmp_path, embedded_aws):
    code = "return os.getppid(), subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid"
    script = with_lambda("os.kill(eval(worker)[0], 9)")
    script = script.replace("import os, time", "import os, subprocess").replace("return os.getpid()", code)
    process = start_script(script, tmp_path)
    _, sleeper = json.loads(process.communicate(timeout=LONGEST_SECONDS)[0])
    assert process.returncode == 0
    embedded_aws.wait_until(lambda: not process_is_there(sleeper), what="the end of what the Lambda started")
    assert list(tmp_path.iterdir()) == []


def test_two_servers_know_nothing_of_each_other(embedded_aws):
    with EmbeddedAws.start() as other:
        other.client("sqs").create_queue(QueueName="only-there")
        assert other.endpoint_url != embedded_aws.endpoint_url
        urls = embedded_aws.client("sqs").list_queues(QueueNamePrefix="only-there")
        assert urls.get("QueueUrls", []) == []


def test_a_subprocess_sees_nothing_of_the_users_aws_settings(embedded_aws, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECURITYHUB", "https://elsewhere.example")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    environment = embedded_aws.environment(account="444455556666", region="eu-central-1")
    settings = {name for name in environment if name.startswith("AWS_")}
    assert settings == {name for name in embedded_aws.settings() if name.startswith("AWS_")}
    assert environment["AWS_ENDPOINT_URL"] == embedded_aws.endpoint_url
    assert environment["AWS_ACCESS_KEY_ID"] == "444455556666"
    assert "https_proxy" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_a_client_ignores_the_users_profile_and_proxy(embedded_aws, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[profile production]\nendpoint_url = https://elsewhere.example\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = embedded_aws.client("sts", account="444455556666")
    assert client.get_caller_identity()["Account"] == "444455556666"


def test_a_client_ignores_a_profile_that_does_not_exist(embedded_aws, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    client = embedded_aws.client("sts", account="777788889999")
    assert client.get_caller_identity()["Account"] == "777788889999"


def test_an_account_that_is_no_number_is_refused(embedded_aws):
    with pytest.raises(ValueError, match="12-digit number, but 'production' was given"):
        embedded_aws.environment(account="production")


def test_a_lambda_gets_nothing_of_the_projects_source_or_the_users_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("MY_TOKEN", "secret")
    process = start_script(
        with_lambda("pass").replace("return os.getpid()", "return sorted(os.environ)"), tmp_path
    )
    names = process.communicate(timeout=LONGEST_SECONDS)[0]
    assert "AWS_ENDPOINT_URL" in names
    assert not {name for name in ("AWS_PROFILE", "MY_TOKEN", "PYTHONPATH") if name in names}


def test_waiting_in_vain_says_for_what_and_what_was_seen_last(embedded_aws):
    pattern = (
        r"for the moon, but nothing has moved for .* s: the progress is \(\d+, 'dark'\), the last result \[\]"
    )
    with pytest.raises(TimeoutError, match=pattern):
        embedded_aws.wait_until(list, what="the moon", progress=lambda: "dark", patience=0.1)


def test_an_event_is_progress(embedded_aws):
    before = embedded_aws.progress()
    entry = {"Source": "test", "DetailType": "Progress", "Detail": "{}"}
    embedded_aws.client("events").put_events(Entries=[entry])
    embedded_aws.wait_until(lambda: embedded_aws.progress() > before, what="the event")


def test_a_server_that_is_gone_is_named():
    with pytest.raises(EmulatorError, match=r"does not answer at http://127\.0\.0\.1:9"):
        EmbeddedAws.connect("http://127.0.0.1:9")


def test_a_server_that_does_not_start_shows_its_log(monkeypatch):
    monkeypatch.setattr("emulator.launching.server_environment", lambda _: {"PATH": ""})
    with pytest.raises(EmulatorError, match=r"(?s)ended at once.*No module named"), EmbeddedAws.start():
        pass


def test_an_unknown_field_of_a_delivery_is_refused_with_the_known_ones(embedded_aws):
    with pytest.raises(ValueError, match="no status; use account, answer, attempts"):
        embedded_aws.deliveries(status="delivered")
