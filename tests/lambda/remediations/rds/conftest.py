"""Databases of the member account."""

from __future__ import annotations

import pytest


@pytest.fixture
def rds(member):
    return member.client("rds")


@pytest.fixture
def make_shop(rds):
    """A function that creates the DB instance `shop` with some settings, and returns its ARN."""

    def make(*, engine="mysql", **settings):
        made = rds.create_db_instance(
            DBInstanceIdentifier="shop",
            DBInstanceClass="db.t3.micro",
            Engine=engine,
            AllocatedStorage=20,
            MasterUsername="root",
            MasterUserPassword="a-test's-own",
            **settings,
        )
        return made["DBInstance"]["DBInstanceArn"]

    return make
