from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from securityhub_findings.updates import truncate


@given(st.text(min_size=1, alphabet=st.characters()), st.integers(1, 400))
@hypothesis_settings(deadline=None)
def test_a_cut_text_keeps_to_the_limit_and_to_whole_characters(text, repeated):
    text = text * repeated

    cut = truncate(text, 512)

    assert len(cut.encode("utf-16-le")) <= 512 * 2
    clean = text.encode("utf-8", errors="replace").decode()
    assert cut == clean or (cut.endswith("…") and clean.startswith(cut[:-1]))
