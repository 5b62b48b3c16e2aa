"""The app as a whole, run as the CDK CLI runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.cdk import ROOT, cdk_command

STACKS = ("SecurityHubAnalystActions", "SecurityHubFindingsRouting")


def synthesize(folder, environment):
    # cdk.json names .venv, where another Python may run the tests.
    app = f"{Path(sys.executable)} app.py"
    return subprocess.run(  # noqa: S603 - the pinned CDK CLI
        cdk_command("synth", "--all", "--quiet", "--app", app, "--output", str(folder)),
        cwd=ROOT,
        env={**without_aws_settings(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def without_aws_settings():
    """The environment without credentials, region or profile, with which the CLI looks an account up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**kept, **nothing, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1"])
def test_it_synthesizes_clean_for(tmp_path, region):
    done = synthesize(tmp_path, {"AWS_REGION": region})
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((tmp_path / f"{stack}.template.json").exists() for stack in STACKS)


def test_no_template_names_a_partition_account_or_region_when_none_is_known(tmp_path, feature_flags):
    environment = {"CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": json.dumps(feature_flags)}
    subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env={**without_aws_settings(), **environment}, check=True
    )
    text = "".join((tmp_path / f"{stack}.template.json").read_text() for stack in STACKS)
    assert not [word for word in ("arn:aws:", "us-east-1", "111122223333") if word in text]
