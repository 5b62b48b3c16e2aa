"""The workflows run with the least permissions, on pinned actions, on every Python that the package names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from securityhub_actions.cli.review.markdown import MARKER

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in FILES}
CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
USES = re.compile(r"^ +(?:- )?uses: ([\w./$-]+)(?:@(\S+))?(?: # (\S+))?$", re.MULTILINE)
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)


def uses():
    """The actions of all workflows: name, reference, and version in the comment."""
    found = [match for path in FILES for match in USES.findall(path.read_text())]
    assert len(found) == sum(len(re.findall(r"\buses:", path.read_text())) for path in FILES)
    return [one for one in found if not one[0].startswith("$/")]


def jobs_that_may(permission):
    return [
        f"{name}:{job_id}"
        for name, workflow in WORKFLOWS.items()
        for job_id, job in workflow["jobs"].items()
        if job["permissions"].get(permission) == "write"
    ]


def test_every_action_is_pinned_by_a_full_commit_hash_with_its_version():
    assert [
        one
        for one in uses()
        if not (re.fullmatch(r"[0-9a-f]{40}", one[1]) and re.match(r"v\d+\.\d+\.\d+$", one[2]))
    ] == []


def test_an_action_has_the_same_version_in_all_workflows():
    owners = {"/".join(name.split("/")[:2]) for name, _, _ in uses()}
    pins = {("/".join(name.split("/")[:2]), commit, version) for name, commit, version in uses()}
    assert len(pins) == len(owners)


@each_workflow
def test_a_workflow_has_no_permissions_beyond_those_of_its_jobs(workflow):
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())


@each_workflow
def test_a_workflow_does_not_run_beside_itself(workflow):
    assert workflow["concurrency"]["group"]


def test_only_what_publishes_may_prove_who_it_is():
    assert jobs_that_may("id-token") == ["docs.yml:deploy", "release.yml:publish"]


def test_no_job_may_write_to_the_repository():
    assert jobs_that_may("contents") == []


def test_what_publishes_runs_in_an_environment_and_checks_nothing_out():
    for workflow, job in (("docs.yml", "deploy"), ("release.yml", "publish")):
        publishing = WORKFLOWS[workflow]["jobs"][job]
        assert publishing["environment"]["name"]
        assert not any("actions/checkout" in step.get("uses", "") for step in publishing["steps"])


@pytest.mark.parametrize(
    ("workflow", "job"), [("check.yml", "check"), ("check.yml", "test"), ("release.yml", "install")]
)
def test_a_job_runs_on_every_python_that_the_package_names(workflow, job):
    named = [c.rpartition(" ")[2] for c in CLASSIFIERS if re.search(r":: 3\.\d+$", c)]
    assert WORKFLOWS[workflow]["jobs"][job]["strategy"]["matrix"]["python-version"] == named


def test_every_make_command_of_a_workflow_is_in_the_makefile():
    commands = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for path in FILES
        for run in re.findall(r"run: make ([a-z -]+)", path.read_text())
        for name in run.split()
    }
    assert named
    assert named <= commands


def test_the_property_tests_are_thorough_by_schedule_and_on_no_push():
    thorough = {
        name for name, path in zip(WORKFLOWS, FILES, strict=True) if "make test-thorough" in path.read_text()
    }
    assert thorough == {"thorough.yml"}
    assert WORKFLOWS["thorough.yml"][True].keys() == {"schedule", "workflow_dispatch"}
    assert "thorough" not in (ROOT / ".ci" / "run").read_text()


def test_no_workflow_runs_the_code_of_a_fork_with_the_permissions_of_the_repository():
    assert [name for name, workflow in WORKFLOWS.items() if "pull_request_target" in workflow[True]] == []


def test_what_comments_on_a_pull_request_checks_nothing_out():
    assert jobs_that_may("pull-requests") == ["review.yml:comment"]
    steps = WORKFLOWS["review.yml"]["jobs"]["comment"]["steps"]
    assert not any("actions/checkout" in step.get("uses", "") for step in steps)


def test_a_workflow_finds_the_comment_that_the_review_begins_with():
    (_, step) = WORKFLOWS["review.yml"]["jobs"]["comment"]["steps"]
    assert f'startswith("{MARKER}")' in step["run"]
