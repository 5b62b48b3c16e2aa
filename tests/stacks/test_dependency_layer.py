import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import botocore
import pytest
from packaging.requirements import Requirement

from stacks.dependency_layer import DISTRIBUTIONS, copy_distributions


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layer")
    copy_distributions(DISTRIBUTIONS, folder)
    return folder


def run_with_only(*folders, code):
    return subprocess.run(  # noqa: S603 - this test's own command
        [
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-c",
            f"import sys; sys.path[:0] = {list(map(str, folders))!r}; {code}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_powertools_and_tracer_import_from_the_layer_and_the_lambda_runtimes_boto3_alone(layer, tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for package in ("boto3", "botocore", "dateutil", "s3transfer", "six.py", "urllib3"):
        (runtime / package).symlink_to(Path(botocore.__path__[0]).parent / package)
    code = "from aws_lambda_powertools import Logger, Tracer; Logger(service='x'); Tracer(service='x')"
    done = run_with_only(layer, runtime, code=code)
    assert done.returncode == 0, done.stderr


def test_the_layer_runs_on_any_platform(layer):
    assert not [path for path in layer.rglob("*") if path.suffix in {".so", ".pyd", ".dylib"}]


def test_the_layer_holds_nothing_that_depends_on_how_it_was_installed(layer):
    assert not [path for path in layer.rglob("*") if path.name in {"RECORD", "INSTALLER", "direct_url.json"}]


def test_the_layer_brings_the_licenses_along(layer):
    assert len([path for path in layer.rglob("LICENSE*") if path.is_file()]) >= len(DISTRIBUTIONS)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_requirement_is_in_the_layer_or_in_the_lambda_runtime(name):
    extras = {"tracer"} if name == "aws-lambda-powertools" else {""}
    needed = {
        requirement.name
        for requirement in map(Requirement, requires(name) or [])
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
    }
    assert needed <= {*DISTRIBUTIONS, "boto3", "botocore"}


def test_a_missing_dependency_is_an_error_that_says_how_to_install_it(tmp_path):
    with pytest.raises(RuntimeError, match=r"'no-such-package', which is not installed.*make setup"):
        copy_distributions(["no-such-package"], tmp_path)
