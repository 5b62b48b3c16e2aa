"""The document about reviews shows the workflow that runs here, and marks that the command finds."""

from __future__ import annotations

import yaml

from securityhub_actions.cli.review.markdown import MARKER
from securityhub_actions.cli.review.notes import Attention
from tests.docs.documents import DOCS, ROOT, blocks, table_in

DOCUMENT = DOCS / "review.md"
(GITHUB, GITLAB) = blocks(DOCUMENT, "yaml")


def test_the_workflow_to_copy_is_the_one_of_this_repository():
    assert (ROOT / ".github" / "workflows" / "review.yml").read_text() == GITHUB


def test_the_gitlab_jobs_find_the_comment_that_the_review_begins_with():
    jobs = yaml.safe_load(GITLAB)
    assert list(jobs) == ["review", "comment"]
    assert f'startswith("{MARKER}")' in jobs["comment"]["script"][-1]


def test_every_mark_is_explained():
    marks = [row[0].strip("`") for row in table_in(DOCUMENT.read_text(), "Mark")]
    assert marks == [attention.name.lower() for attention in Attention]
