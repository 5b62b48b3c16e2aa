"""The Lambda layers with the libraries that functions import, from the environment that runs synthesis.

They contain the locked versions that the tests ran with, and building them requires neither Docker nor a
network connection. docs/adr/0003-dependency-layer.md explains why.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePath
from typing import Final

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_

DISTRIBUTIONS: Final = ("aws-lambda-powertools", "jmespath", "typing-extensions")
"""What the functions need in addition to the Lambda runtime, which includes boto3 and botocore."""

TICKET_DISTRIBUTIONS: Final = (
    "anyio",
    "certifi",
    "charset-normalizer",
    "defusedxml",
    "h11",
    "httpcore2",
    "httpx2",
    "idna",
    "jira",
    "oauthlib",
    "packaging",
    "pagerduty",
    "pysnc",
    "requests",
    "requests-oauthlib",
    "requests-toolbelt",
    "slack-sdk",
    "truststore",
    "urllib3",
)
"""What the functions that open tickets need in addition: the trackers' clients and their dependencies."""

# Compiled extensions are specific to a platform and Python version. charset-normalizer, the only package that
# has them, falls back to pure Python.
_LEFT_OUT_SUFFIXES: Final = {".so", ".pyd", ".dylib", ".pyc", ".pyi"}
# Other records depend on how the package was installed, which would change the asset hash.
_KEPT_RECORDS: Final = ("LICENSE", "METADATA", "NOTICE")


def dependency_layer(stack: Stack) -> lambda_.LayerVersion:
    """Return the stack's layer with the libraries that all functions import. It is created on first use.

    Raises:
        RuntimeError: A dependency isn't installed in the environment that runs this app.
    """
    description = "Powertools for AWS Lambda (Python)"
    return _layer(stack, "Dependencies", DISTRIBUTIONS, description)


def ticket_dependency_layer(stack: Stack) -> lambda_.LayerVersion:
    """Return the stack's layer with the clients for the ticket trackers. It is created on first use.

    Only the functions that open tickets use it, in addition to `dependency_layer`.

    Raises:
        RuntimeError: A dependency isn't installed in the environment that runs this app.
    """
    description = "Clients of Jira, ServiceNow, PagerDuty and Slack"
    return _layer(stack, "TicketDependencies", TICKET_DISTRIBUTIONS, description)


def copy_distributions(names: Iterable[str], target: Path) -> None:
    """Copy the Python modules of installed distributions into a folder.

    Args:
        names: The distribution names, as in requirements.txt.
        target: The folder for the top-level packages. It is created if it doesn't exist.

    Raises:
        RuntimeError: A distribution isn't installed.
    """
    for name in names:
        for file in filter(_belongs_in_layer, _installed(name).files or ()):
            destination = target / file
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), destination)


def _layer(
    stack: Stack, construct_id: str, distributions: Iterable[str], description: str
) -> lambda_.LayerVersion:
    existing = stack.node.try_find_child(construct_id)
    if isinstance(existing, lambda_.LayerVersion):
        return existing
    return lambda_.LayerVersion(
        stack,
        construct_id,
        description=description,
        code=lambda_.Code.from_asset(str(_gathered(tuple(distributions)))),
        removal_policy=RemovalPolicy.DESTROY,
    )


@functools.cache
def _gathered(distributions: tuple[str, ...]) -> Path:
    """Return a folder with the distributions, which all stacks in this process share."""
    folder = Path(tempfile.mkdtemp(prefix="dependency-layer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy_distributions(distributions, folder / "python")
    return folder


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise RuntimeError(
            f"The Lambda layer needs the package {name!r}, which is not installed in the Python that runs "
            "this app. Run `make setup` and use .venv/bin/python, or `pip install -r requirements.txt`."
        ) from error


def _belongs_in_layer(file: PurePath) -> bool:
    outside_of_packages = ".." in file.parts
    records = file.parts[0].endswith(".dist-info") and not file.name.startswith(_KEPT_RECORDS)
    return not outside_of_packages and not records and file.suffix not in _LEFT_OUT_SUFFIXES
