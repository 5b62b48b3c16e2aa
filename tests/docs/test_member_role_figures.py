"""The figures about the member role in the documents are those of the code."""

from __future__ import annotations

from functions.remediate.session_policy import session_policy
from remediations.registry import all_remediations
from stacks.managed_policies import MOST_CHARACTERS, MOST_POLICIES, length_of, pack
from stacks.remediation_catalog import read_catalog
from tests.docs.documents import DOCS


def groups():
    found = {}
    for entry in read_catalog().values():
        statements = (*entry.statements, *entry.undo_statements, *entry.start_statements)
        found.setdefault(entry.service, []).extend(statements)
    return found


def longest_session_policy():
    settings = {"account": "4" * 12, "partition": "aws-us-gov", "automation_role": f"securityhub/{'a' * 64}"}
    return max(
        len(session_policy(one, **settings, undoes=undoes, reads_tags=reads_tags))
        for one in all_remediations().values()
        for undoes in (False, True)
        for reads_tags in (False, True)
    )


def test_the_document_tells_how_much_of_the_quotas_all_remediations_take():
    packed = pack(groups())
    characters = sum(length_of(statements) for statements, _ in packed)
    assert (
        f"IAM lets a role have {MOST_POLICIES} managed policies of {MOST_CHARACTERS:,} characters. "
        f"All {len(read_catalog())} remediations together take {characters:,} characters in {len(packed)} of "
        f"them, and the longest session policy {longest_session_policy():,} of the 2,048 that STS allows."
    ) in " ".join((DOCS / "remediation.md").read_text().split())
