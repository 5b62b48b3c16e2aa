from __future__ import annotations

import pytest

from securityhub_actions.cli.assembly import App
from securityhub_actions.cli.cost.amounts import NOTHING, Range
from securityhub_actions.cli.cost.findings import finding_items
from securityhub_actions.cli.cost.items import Use

API = ("AWS::ApiGatewayV2::Api", {"ProtocolType": "HTTP"})
FUNCTION = ("AWS::Lambda::Function", {"Handler": "functions.tracker_webhook.handler.handle"})


@pytest.fixture
def quantities(stack):
    """A function that returns what resources cost with 100 tickets a day, by price."""

    def compute(**resources):
        use = Use(
            findings=0,
            accounts=1,
            matching=NOTHING,
            tickets=Range.of(100),
            remediated=NOTHING,
            pressed=NOTHING,
        )
        found = {}
        for item in finding_items(App(stacks=[stack(**resources)]), use):
            found[item.price] = found.get(item.price, NOTHING) + item.quantity
        return found

    return compute


def test_trackers_tell_of_each_ticket_that_it_is_opened_and_closed_or_more(quantities):
    found = quantities(Api=API, Function=FUNCTION)
    assert found["http_api"] == found["lambda_request"] == Range(6_000, 30_000)
    assert found["sqs_request"].low >= 6_000


def test_without_an_api_there_are_no_webhooks(quantities):
    assert "http_api" not in quantities(Queue=("AWS::SQS::Queue", {}))
