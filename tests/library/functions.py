"""A Lambda function to be a target."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_


def new_function(scope, construct_id="Function", **settings):
    return lambda_.Function(
        scope,
        construct_id,
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handle",
        code=lambda_.Code.from_inline("def handle(event, context): ..."),
        **settings,
    )
