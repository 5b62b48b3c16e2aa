"""What tests of several functions need."""

from __future__ import annotations

from uuid import uuid4

import pytest

from functions.tickets.items import WATCHED_INDEX


@pytest.fixture
def make_ticket_table_name(function_aws):
    """A function that creates a table like that of tickets, and returns its name."""

    def make():
        name = f"tickets-{uuid4().hex[:12]}"
        keys = {"finding": "HASH", "tracker": "RANGE"}
        index_keys = {"watched": "HASH", "since": "RANGE"}
        function_aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": type_} for key, type_ in keys.items()],
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in (*keys, *index_keys)
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": WATCHED_INDEX,
                    "KeySchema": [
                        {"AttributeName": key, "KeyType": type_} for key, type_ in index_keys.items()
                    ],
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["account", "findingId", "productArn", "state"],
                    },
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    return make
