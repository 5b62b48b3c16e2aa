"""One embedded AWS for all tests of a worker process."""

import pytest

from emulator.server import EmbeddedAws


@pytest.fixture(scope="session")
def embedded_aws():
    """A running embedded AWS, shared: a test uses names of its own and counts only what is its own."""
    with EmbeddedAws.start() as aws:
        yield aws
