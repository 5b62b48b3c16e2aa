"""Counts the environment variables of a function at synthesis, without asking the CDK, which can't be asked.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_

from securityhub_actions.quotas import MAX_ENVIRONMENT, NEARLY
from securityhub_actions.tokens import without_tokens

MUCH_ENVIRONMENT: Final = "securityhub-actions:MuchEnvironment"


class FunctionEnvironment:
    """The environment variables of a function, as Python has set them."""

    def __init__(self, function: lambda_.Function, variables: Mapping[str, str]) -> None:
        """Follow a function.

        Args:
            function: The function.
            variables: The variables that it was created with.
        """
        self._function = function
        self._variables = dict(variables)
        self._add = function.add_environment
        # On the instance and not in its class. There, it would be an override, which the CDK calls for each
        # variable, in a message from Node.js.
        vars(function)["add_environment"] = self._count

    def errors(self) -> list[str]:
        """Return an error if it's larger than Lambda allows. From 80 percent on, add a warning."""
        size = self.size
        said = (
            f"The environment variables of the function have at least {size:,} bytes. Lambda allows "
            f"{MAX_ENVIRONMENT:,}. Put large values into a parameter, a layer, or an object in Amazon S3."
        )
        if size > MAX_ENVIRONMENT:
            return [said]
        if size >= MAX_ENVIRONMENT * NEARLY:
            Annotations.of(self._function).add_warning_v2(
                MUCH_ENVIRONMENT, f"{said} Or acknowledge this warning."
            )
        return []

    @property
    def size(self) -> int:
        """The bytes of what is known, as JSON, which is how Lambda measures them."""
        text = json.dumps(self._variables, separators=(",", ":"), ensure_ascii=False)
        return len(without_tokens(text).encode())

    def _count(self, key: str, value: str, *, remove_in_edge: bool | None = None) -> lambda_.Function:
        self._variables[key] = value
        return self._add(key, value, remove_in_edge=remove_in_edge)
