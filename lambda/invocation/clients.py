"""Clients for AWS services. This is the one place that sets timeouts and retries."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from botocore.config import Config
from botocore.session import Session, get_session

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 15
ATTEMPTS: Final = 4


def client_config(*, read_seconds: float = READ_SECONDS) -> Config:
    """Return the timeouts and retries of a client, so that a service that hangs doesn't use up an invocation.

    Args:
        read_seconds: The time limit for one response, in seconds. Default: 15.

    Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )


@cache
def create_client(service: str, *, region: str | None = None, read_seconds: float = READ_SECONDS) -> Any:  # noqa: ANN401 - botocore makes its classes at run time
    """Create a client, or return the one that was created before, so that its connections are reused.

    Args:
        service: The name of the service in botocore, such as `sns`.
        region: The Region. Default: the function's own.
        read_seconds: The time limit for one response, in seconds. Default: 15.
    """
    return one_session().create_client(
        service, region_name=region, config=client_config(read_seconds=read_seconds)
    )


@cache
def one_session() -> Session:
    """Return the session that all clients share, so that common parts of service models are read once.

    It's a botocore session: importing boto3 takes twice as long, and its additions aren't needed.
    """
    return get_session()
