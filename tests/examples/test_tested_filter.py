from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from tests.examples.running import EXAMPLES, deploy, outputs, received, sent

pytestmark = pytest.mark.long


def run_its_tests(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - as a user does


def test_its_unit_tests_pass_as_its_readme_says():
    assert (
        "cd examples/tested_filter && ../../.venv/bin/python -m pytest\n"
        in (EXAMPLES / "tested_filter" / "README.md").read_text()
    )
    done = run_its_tests(EXAMPLES / "tested_filter")
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* passed", done.stdout)


@pytest.mark.parametrize("condition", ["severity=", "control_ids=", "resource_tags="])
def test_its_unit_tests_fail_where_the_filter_lacks_a_condition(condition, tmp_path):
    copy = shutil.copytree(EXAMPLES / "tested_filter", tmp_path / "copy")
    filters = (copy / "filters.py").read_text()
    broader, replaced = re.subn(rf"^    {condition}.*\n", "", filters, flags=re.MULTILINE)
    assert replaced == 1
    (copy / "filters.py").write_text(broader)
    done = run_its_tests(copy)
    assert done.returncode == 1, done.stdout


def test_only_what_the_filter_lets_through_reaches_the_queue(aws, import_finding, tmp_path):
    deploy(aws, "tested_filter", tmp_path)
    production = [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::reports", "Tags": {"stage": "production"}}]
    import_finding(Resources=production, Severity={"Label": "MEDIUM"})
    import_finding()
    exposed = import_finding(Resources=production, Severity={"Label": "HIGH"})
    queue = outputs(aws, "TestedFilter")["QueueUrl"]
    received(aws, queue, exposed)
    assert sent(aws, queue) == [exposed["Id"]]
