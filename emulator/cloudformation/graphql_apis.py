"""`Fn::GetAtt` of `GraphQLEndpointArn`, which MiniStack lacks and targets of EventBridge need.

The ID of the endpoint is the ID of the API, as in MiniStack's URLs.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-appsync-graphqlapi.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ministack.services.cloudformation import provisioners

API: Final = "AWS::AppSync::GraphQLApi"
ENDPOINT: Final = "GraphQLEndpointArn"


def register() -> None:
    """Add the attribute, for this process. Calling it again changes nothing."""
    known = provisioners._RESOURCE_HANDLERS[API]  # noqa: SLF001 - see tests/emulator/contract
    known["create"] = _with_endpoint(known["create"])
    known["update"] = _with_endpoint(known["update"])


def _with_endpoint(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handle_and_add(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - MiniStack's types
        physical_id, attributes = handle(*arguments, **named)
        endpoint = attributes["Arn"].replace(":apis/", ":endpoints/graphql-api/", 1)
        return physical_id, {**attributes, ENDPOINT: endpoint}

    return handle_and_add
