"""Users like AWS's."""

from __future__ import annotations

import pytest


@pytest.fixture
def answer_ids(member):
    """A function that gives users unique IDs like AWS's."""

    def give(**ids):
        def tell(parsed, **_):
            for user in parsed.get("Users", ()):
                user["UserId"] = ids.get(user["UserName"], user["UserId"])

        member.register("after-call.iam.ListUsers", tell)

    return give
