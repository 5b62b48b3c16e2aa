"""What a test of the embedded AWS has to itself: a rule with its targets, an account with Security Hub."""

from __future__ import annotations

import pytest

from tests.emulator.delivery.chain import Chain
from tests.emulator.securityhub.account import Account


@pytest.fixture
def chain(embedded_aws):
    return Chain(embedded_aws)


@pytest.fixture
def unsubscribed(embedded_aws):
    """An account that no other test uses, in which Security Hub isn't enabled."""
    return Account(embedded_aws)


@pytest.fixture
def account(unsubscribed):
    unsubscribed.hub.enable_security_hub()
    return unsubscribed
