"""The code of the Lambda functions that this library brings, each of which is a package inside it."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_


def handler_code(package: str) -> lambda_.Code:
    """Return one package of this library as the code of a function, so that the wheel stands alone.

    Args:
        package: The name of the package. The handler starts with it, as in `NAME.handler.handle`.
    """
    return lambda_.Code.from_asset(
        str(Path(__file__).parent),
        exclude=["/*", f"!/{package}/", "__pycache__"],
        ignore_mode=IgnoreMode.GIT,
    )
