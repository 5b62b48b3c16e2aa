from __future__ import annotations

import pytest

from tests.stacks.settings.documents import VALID


def test_settings_cannot_be_changed_after_they_were_checked(load):
    with pytest.raises(ValueError, match="frozen"):
        load(VALID).routing.high.enabled = False
