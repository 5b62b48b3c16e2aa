from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import botocore
import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Match, Template
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from functions.tickets.trackers import MODULES
from stacks.dependency_layer import (
    DISTRIBUTIONS,
    TICKET_DISTRIBUTIONS,
    copy_distributions,
    dependency_layer,
    ticket_dependency_layer,
)

LAMBDA_CODE = Path(__file__).parents[2] / "lambda"

LAYERS = {"shared": DISTRIBUTIONS, "ticket": TICKET_DISTRIBUTIONS}
# Function and layers together: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in LAYERS}
    for name, folder in folders.items():
        copy_distributions(LAYERS[name], folder)
    return folders


@pytest.fixture(scope="module")
def layer(layers):
    return layers["shared"]


@pytest.fixture(params=LAYERS)
def each_layer(request, layers):
    return layers[request.param]


@pytest.fixture
def lambda_runtime(tmp_path):
    """What the Lambda runtime brings, and nothing else of this environment."""
    for package in ("boto3", "botocore", "dateutil", "s3transfer", "six.py", "urllib3"):
        (tmp_path / package).symlink_to(Path(botocore.__path__[0]).parent / package)
    return tmp_path


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


def test_powertools_imports_from_the_layer_and_the_lambda_runtimes_boto3_alone(layer, lambda_runtime):
    code = "from aws_lambda_powertools import Logger; Logger(service='x')"
    done = run_with_only(layer, lambda_runtime, code=code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES.values())
def test_each_tracker_imports_from_the_layers_and_the_lambda_runtimes_boto3_alone(
    module, layers, lambda_runtime
):
    done = run_with_only(LAMBDA_CODE, *layers.values(), lambda_runtime, code=f"import {module}")
    assert done.returncode == 0, done.stderr


def test_requests_detects_an_encoding_without_compiled_code(layers):
    code = (
        "import charset_normalizer.md, requests; "
        "assert charset_normalizer.md.__file__.endswith('.py'); "
        "answer = requests.Response(); answer._content = 'Überprüfung: größer'.encode('cp1252') * 9; "
        "assert answer.apparent_encoding; print(answer.text)"
    )
    done = run_with_only(layers["ticket"], code=code)
    assert (done.returncode, done.stderr) == (0, "")


def test_requests_finds_the_certificates_in_the_layer(layers):
    code = (
        "import requests.certs, ssl; "
        "print(len(ssl.create_default_context(cafile=requests.certs.where()).get_ca_certs()), "
        "requests.certs.where())"
    )
    done = run_with_only(layers["ticket"], code=code)
    assert done.returncode == 0, done.stderr
    count, path = done.stdout.split()
    assert int(count) > 50
    assert Path(path).is_relative_to(layers["ticket"])


def test_both_layers_take_less_than_a_quarter_of_what_lambda_unzips(layers):
    size = sum(path.stat().st_size for folder in layers.values() for path in folder.rglob("*"))
    assert size < UNZIPPED_LIMIT_BYTES / 4


def test_each_layer_runs_on_any_platform(each_layer):
    compiled = {*importlib.machinery.EXTENSION_SUFFIXES, ".so", ".pyd", ".dylib"}
    assert not [path for path in each_layer.rglob("*") if path.suffix in compiled]


def test_each_layer_holds_nothing_that_depends_on_how_it_was_installed(each_layer):
    records = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    assert not [path for path in each_layer.rglob("*") if path.name in records]


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_brings_the_licenses_along(name, layers):
    metadata = [path.parent for path in layers[name].glob("*.dist-info/METADATA")]
    assert len(metadata) == len(LAYERS[name])
    # pagerduty 7.2.0 has no file with its license; its METADATA names it.
    unlicensed = [path.name for path in metadata if not [*path.rglob("LICENSE*")]]
    assert [name for name in unlicensed if not name.startswith("pagerduty-")] == []


@pytest.mark.parametrize("name", [*DISTRIBUTIONS, *TICKET_DISTRIBUTIONS])
def test_every_requirement_is_in_a_layer_or_in_the_lambda_runtime(name):
    needed = {
        canonicalize_name(requirement.name)
        for requirement in map(Requirement, requires(name) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    present = {*DISTRIBUTIONS, *(TICKET_DISTRIBUTIONS if name in TICKET_DISTRIBUTIONS else ())}
    assert needed <= {*present, "boto3", "botocore"}


def test_no_distribution_is_in_two_layers():
    assert not {*DISTRIBUTIONS} & {*TICKET_DISTRIBUTIONS}


def test_a_stack_has_each_layer_once():
    stack = Stack(App(), "Stack")
    assert dependency_layer(stack) is dependency_layer(stack)
    assert ticket_dependency_layer(stack) is ticket_dependency_layer(stack)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Lambda::LayerVersion", 2)
    template.has_resource_properties(
        "AWS::Lambda::LayerVersion", {"Description": Match.string_like_regexp("Jira.*Slack")}
    )


def test_a_missing_dependency_is_an_error_that_says_how_to_install_it(tmp_path):
    with pytest.raises(RuntimeError, match=r"'no-such-package', which is not installed.*make setup"):
        copy_distributions(["no-such-package"], tmp_path)
