"""A Lambda function with least-privilege defaults, for this library's handler and your own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from securityhub_actions.acknowledgments import acknowledge
from securityhub_actions.arguments import checked
from securityhub_actions.checks import Validation
from securityhub_actions.function_environment import FunctionEnvironment
from securityhub_actions.handler_check import handler_errors


class LoggedFunction(lambda_.Function):
    """A Python function whose role can only write to the function's own log group until you grant it more.

    The AWS managed policy that the CDK attaches by default allows writing to every log group in the account.
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        code: lambda_.Code,
        handler: str,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
        layers: Sequence[lambda_.ILayerVersion] | None = None,
        memory_size: int = 256,
        log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
        tracing: bool = False,
    ) -> None:
        """Create a function, its role, and its log group.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            description: The description of the function and its role.
            code: The code of the function.
            handler: The entry point, `package.module.function`. It must exist in the code, or the module in a
                layer.
            timeout: The maximum duration of an invocation.
            environment: Environment variables. Don't put secrets in them. Default: none.
            layers: Lambda layers. Default: none.
            memory_size: The amount of memory, in MiB. Default: 256.
            log_retention: How long log events are kept. Default: three months.
            tracing: Whether Lambda sends traces of the function to AWS X-Ray. If True, the function's role
                gets two X-Ray actions on all resources, because they don't support resource-level
                permissions. Default: False.

        Raises:
            ValueError: An argument is of the wrong kind. At synthesis: the handler isn't in the code, or the
                environment variables are larger than Lambda allows.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
        Source: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
        """
        # Children of the scope and not of the function, which doesn't exist yet.
        log_group = logs.LogGroup(
            scope, f"{construct_id}Logs", retention=log_retention, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(
            scope,
            f"{construct_id}Role",
            description=description,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group.grant_write(role)
        super().__init__(
            scope,
            construct_id,
            description=description,
            # The newest runtime that the tests run on.
            runtime=lambda_.Runtime.PYTHON_3_13,
            code=code,
            handler=handler,
            timeout=timeout,
            environment=dict(environment or {}),
            layers=list(layers or ()),
            memory_size=memory_size,
            log_group=log_group,
            role=role,
            tracing=lambda_.Tracing.ACTIVE if tracing else None,
        )
        variables = FunctionEnvironment(self, environment or {})
        self.node.add_validation(
            Validation(
                lambda: [
                    *handler_errors(self, code=code, handler=handler, has_layers=bool(layers)),
                    *variables.errors(),
                ]
            )
        )
        if tracing:
            acknowledge(
                role,
                id="AwsSolutions-IAM5[Resource::*]",
                reason="xray:PutTraceSegments and xray:PutTelemetryRecords don't support a resource: "
                "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
            )
        acknowledge(
            self,
            id="AwsSolutions-L1",
            reason="The newest runtime that the code was tested on. Python 3.13 is supported until 2029: "
            "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html",
        )
        acknowledge(
            self,
            id="cfn-lint::W3005",
            reason="The CDK makes a function depend on its role, so that the role's policy exists first.",
        )
