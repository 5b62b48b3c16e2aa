"""No tracker's client follows a redirect: it would take the credential to another address."""

from __future__ import annotations

import pytest

from functions.tickets.contract import TrackerError
from tests.emulator.local_server import local_server
from tests.vendor_servers.servers import MEMBERS


@pytest.mark.usefixtures("fake_time")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("name", MEMBERS)
def test_a_redirect_is_a_refusal_and_the_other_address_gets_nothing(
    make_tracker, vendor_servers, draft, name, status
):
    with local_server() as other:
        vendor_servers.server(name).fail(status, times=9, Location=f"{other.url}/elsewhere")
        with pytest.raises(TrackerError):
            make_tracker(name).open(draft)
        assert other.requests == []
