"""Only an unmet condition is an answer. Every other refusal stays an error."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from invocation.conditional_writes import unmet_condition


def refusing(code):
    def write():
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutItem")

    return write


def test_a_write_whose_condition_is_met_has_no_unmet_condition():
    assert unmet_condition(lambda: {"Attributes": {}}) is None


def test_a_write_whose_condition_is_not_met_returns_the_refusal():
    unmet = unmet_condition(refusing("ConditionalCheckFailedException"))
    assert unmet.response["Error"]["Code"] == "ConditionalCheckFailedException"


def test_a_write_that_is_refused_for_another_reason_raises_the_error():
    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        unmet_condition(refusing("ProvisionedThroughputExceededException"))
