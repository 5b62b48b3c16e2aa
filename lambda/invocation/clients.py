"""Clients of AWS services: one place that sets how long each call may take and how often it is repeated."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from botocore.config import Config
from botocore.session import Session, get_session

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 15
ATTEMPTS: Final = 4


def client_config(*, read_seconds: float = READ_SECONDS) -> Config:
    """Return how a client calls: without a limit of its own, one silent service would use up an invocation.

    Args:
        read_seconds: How long one answer may take. Default: 15 s.

    Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )


def create_client(service: str, *, region: str | None = None, read_seconds: float = READ_SECONDS) -> Any:  # noqa: ANN401 - botocore makes its classes at run time
    """Create a client; once a container, so that connections are reused.

    Args:
        service: The service as botocore names it, such as `sns`.
        region: Its Region. Default: the function's own.
        read_seconds: How long one answer may take. Default: 15 s.
    """
    return one_session().create_client(
        service, region_name=region, config=client_config(read_seconds=read_seconds)
    )


@cache
def one_session() -> Session:
    """Return the session of all clients, so that what they share of the services' models is read once.

    It is botocore's: importing boto3 takes twice as long, for resources and transfers that clients lack.
    """
    return get_session()
