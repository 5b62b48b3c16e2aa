"""The app as a whole, run as the CDK CLI runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def synthesize(folder, **environment):
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_OUTDIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "us-east-1"},
        {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "eu-west-1"},
        {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "cn-north-1"},
    ],
    ids=["anywhere", "native", "custom resource", "China"],
)
def test_it_synthesizes_clean_for(tmp_path, environment):
    done = synthesize(tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "SecurityHubAnalystActions.template.json").exists()


def test_no_template_names_a_partition_account_or_region_when_none_is_known(tmp_path):
    synthesize(tmp_path)
    text = (tmp_path / "SecurityHubAnalystActions.template.json").read_text()
    assert not [word for word in ("arn:aws:", "us-east-1", "111122223333") if word in text]
