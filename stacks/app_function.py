"""A Lambda function of this app: code from lambda/, the shared layer, Powertools named after its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_

from securityhub_actions import LoggedFunction
from stacks.dependency_layer import dependency_layer

_CODE: Final = Path(__file__).resolve().parent.parent / "lambda"


def app_function(
    stack: Stack,
    construct_id: str,
    *,
    handler: str,
    description: str,
    timeout: Duration,
    environment: Mapping[str, str],
    memory_size: int = 256,
    layers: Sequence[lambda_.ILayerVersion] = (),
    tracing: bool = False,
) -> LoggedFunction:
    """Create a function in a stack.

    Args:
        stack: The stack.
        construct_id: The construct ID, unique within the stack.
        handler: `functions.FOLDER.handler.handle`, for a folder of lambda/functions/. Synthesis fails if it
            doesn't exist.
        description: The description of the function.
        timeout: The maximum duration of an invocation.
        environment: Environment variables. Don't put secrets in them.
        memory_size: The amount of memory, in MiB. Default: 256.
        layers: Layers in addition to the one that all functions share. Default: none.
        tracing: Whether Lambda sends traces of the function to AWS X-Ray. Default: False.

    Raises:
        ValueError: The handler isn't `functions.FOLDER.handler.handle`.
    """
    parts = handler.split(".")
    if len(parts) != 4 or parts[0] != "functions":  # noqa: PLR2004 - as in the docstring
        raise ValueError(
            f"handler is {handler!r}. Specify 'functions.FOLDER.handler.handle', for a folder of "
            "lambda/functions/."
        )
    return LoggedFunction(
        stack,
        construct_id,
        description=description,
        code=lambda_.Code.from_asset(str(_CODE), exclude=["**/__pycache__"]),
        handler=handler,
        timeout=timeout,
        memory_size=memory_size,
        layers=[dependency_layer(stack), *layers],
        tracing=tracing,
        environment={"POWERTOOLS_SERVICE_NAME": parts[1], **environment},
    )
