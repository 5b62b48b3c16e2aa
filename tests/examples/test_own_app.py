"""The library's wheel works in an empty environment: it imports, and the example app deploys with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from securityhub_actions import __version__
from tests.examples.running import EXAMPLES, ROOT, outputs, received, sent
from tools.deploy import run_cdk

pytestmark = pytest.mark.long
UV = (sys.executable, "-m", "uv", "--no-config", "--quiet")


def run(*command, **options):
    done = subprocess.run(  # noqa: S603 - this test's own commands
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder, python):
    """Install what the app requires, in the versions that the other tests run with."""
    command = (*UV, "pip", "install", "--python", python, "--requirements", "requirements.txt")
    locked = ("--constraints", ROOT / "requirements-dev.lock")
    offline = [str(part) for part in (*command, *locked, "--offline")]
    # As the set-up does it: without the network if the caches hold everything.
    if subprocess.run(offline, cwd=folder, capture_output=True, check=False).returncode:  # noqa: S603
        run(*command, *locked, cwd=folder)


@pytest.fixture(scope="module")
def own_app(tmp_path_factory):
    """A copy of the example outside of the checkout, with the wheel and an environment of its own."""
    folder = tmp_path_factory.mktemp("own") / "own_app"
    shutil.copytree(EXAMPLES / "own_app", folder, ignore=shutil.ignore_patterns(".venv", "dist", "cdk.out"))
    run(*UV, "build", "--offline", "--no-build-isolation", "--python", sys.executable,
        "--out-dir", folder / "dist", ROOT)  # fmt: skip
    run(*UV, "venv", "--python", sys.executable, folder / ".venv")
    install(folder, folder / ".venv" / "bin" / "python")
    return folder


@pytest.fixture(scope="module")
def deployed(aws, own_app):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{own_app / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        run_cdk(aws, "deploy", "--require-approval", "never", folder=own_app)
    return outputs(aws, "CriticalFindings")


def test_the_app_requires_the_version_of_the_library_that_the_checkout_has():
    required = (EXAMPLES / "own_app" / "requirements.txt").read_text()
    assert f"securityhub-actions[nodejs]=={__version__}\n" in required


@pytest.mark.parametrize("module", ["", ".patterns", ".filters", ".targets"])
def test_a_module_of_the_wheel_imports_in_the_empty_environment(module, own_app):
    code = f"import securityhub_actions{module} as imported; print(imported.__file__)"
    python = own_app / ".venv" / "bin" / "python"
    # Node.js can come from nowhere but the environment.
    file = run(python, "-I", "-c", code, cwd=own_app.parent, env={"PATH": str(python.parent)}).strip()
    assert file.startswith(f"{own_app}/.venv/lib/"), file


def test_the_environment_holds_nothing_that_the_libraries_themselves_do_not_require(own_app):
    listed = run(*UV, "pip", "list", "--format", "json", "--python", own_app / ".venv" / "bin" / "python")
    names = {package["name"] for package in json.loads(listed)}
    assert names >= {"securityhub-actions", "aws-cdk-lib", "constructs"}
    assert not names & {"boto3", "cdk-nag", "cfn-lint", "pydantic", "aws-lambda-powertools", "ministack"}


def test_a_critical_finding_reaches_the_queue_and_a_medium_one_does_not(aws, deployed, import_finding):
    import_finding(Severity={"Label": "MEDIUM"})
    critical = import_finding(Severity={"Label": "CRITICAL"})
    received(aws, deployed["QueueUrl"], critical)
    assert sent(aws, deployed["QueueUrl"]) == [critical["Id"]]
