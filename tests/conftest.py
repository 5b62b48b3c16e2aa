"""Set up for all tests: CDK runs on the pinned Node.js, in one process that all tests of a worker share."""

from __future__ import annotations

import functools
import gc
import json
import signal
from pathlib import Path

import botocore.loaders
import botocore.session
import pytest
from hypothesis import settings

from emulator.server import EmbeddedAws
from tests.environment import without_users_settings
from tests.hypothesis_profiles import DEFAULT_PROFILE
from tests.order import rank
from tests.vendor_servers.servers import VendorServers
from tools.cdk import toolchain_environment

# Before anything imports aws_cdk, which starts its Node.js process at once, or makes a client of boto3.
import os  # isort: skip

_cleaned = toolchain_environment(without_users_settings(os.environ))
for name in os.environ.keys() - _cleaned.keys():
    del os.environ[name]
os.environ.update(_cleaned)
# The CDK's own rules take a third of each synthesis. Tests that are about the checks run them all the same,
# by tests.checks, and so does `make check`.
os.environ["CDK_VALIDATION"] = "false"

# Otherwise every session parses the descriptions of its services anew, which takes longer than most tests.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)

# By default, a tenth of the time of these tests goes into looking for garbage.
gc.set_threshold(50_000, 20, 20)

# `--hypothesis-profile` overrides it.
settings.load_profile(DEFAULT_PROFILE)

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    """Order the folders of tests, and keep the order within each."""
    items.sort(key=lambda item: rank(item.path))


def pytest_collection_finish():
    """Let the garbage collector skip what is there by now: the CDK alone has very many objects."""
    gc.freeze()


@pytest.fixture(scope="session")
def feature_flags():
    """The context of cdk.json, which the CDK CLI passes to the app."""
    return json.loads((ROOT / "cdk.json").read_text())["context"]


@pytest.fixture(scope="session")
def embedded_aws():
    """A running embedded AWS, shared: a test uses names of its own and counts only what is its own."""
    with EmbeddedAws.start() as aws:
        yield aws


@pytest.fixture
def vendor_servers():
    """Local servers that speak the APIs of the ticket trackers, each started when a test uses it."""
    with VendorServers() as servers:
        yield servers


@pytest.fixture
def interruptible():
    """Let processes that a test starts be interrupted, also where the tests run as a shell's background job.

    Such jobs are started with SIGINT ignored, and what they start inherits that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
