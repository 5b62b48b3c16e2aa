"""Any text that JSON can carry, including text that UTF-8 cannot."""

from __future__ import annotations

from hypothesis import HealthCheck
from hypothesis import strategies as st

from tests.hypothesis_profiles import examples

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)

# The fixture is a server, which all texts of a test may share.
each_text = examples(0.4, suppress=[HealthCheck.function_scoped_fixture])
