from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

REACHED = 405
"""What the integration itself answers to a POST."""


@pytest.fixture
def new_api(embedded_aws):
    """A function that makes an API with the route POST /jira, and returns what sends a request to it."""
    client = embedded_aws.client("apigatewayv2")

    def make(stage, **settings):
        api = client.create_api(Name="example", ProtocolType="HTTP")
        integration = client.create_integration(
            ApiId=api["ApiId"],
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="GET",
            IntegrationUri=f"{embedded_aws.endpoint_url}/_ministack/health",
            PayloadFormatVersion="1.0",
        )
        target = f"integrations/{integration['IntegrationId']}"
        client.create_route(ApiId=api["ApiId"], RouteKey="POST /jira", Target=target)
        client.create_stage(ApiId=api["ApiId"], StageName=stage, AutoDeploy=True, **settings)

        def send(path):
            request = urllib.request.Request(  # noqa: S310 - the embedded AWS
                embedded_aws.endpoint_url + path,
                data=b"{}",
                headers={"Host": urlsplit(api["ApiEndpoint"]).netloc},
                method="POST",
            )
            try:
                with urllib.request.urlopen(request) as response:  # noqa: S310 - as above
                    return response.status
            except urllib.error.HTTPError as error:
                return error.code

        return send

    return make


def test_a_path_that_begins_with_no_stage_is_one_of_the_default_stage(new_api):
    send = new_api("$default")
    assert send("/jira") == REACHED
    assert (send("/slack"), send("/jira/more"), send("/")) == (404, 404, 404)


def test_a_path_of_another_stage_begins_with_its_name(new_api):
    send = new_api("live")
    assert (send("/live/jira"), send("/jira")) == (REACHED, 404)


def test_a_stage_answers_429_to_requests_beyond_its_burst(new_api):
    settings = {"ThrottlingBurstLimit": 3, "ThrottlingRateLimit": 0.001}
    send = new_api("$default", DefaultRouteSettings=settings)
    assert [send("/jira") for _ in range(5)] == [REACHED, REACHED, REACHED, 429, 429]
