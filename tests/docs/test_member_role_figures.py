"""The figures about the member role in the documents are those of the code."""

from __future__ import annotations

from functions.remediate.session_policy import session_policy
from remediations.registry import all_remediations
from stacks import member_role
from stacks.managed_policies import MOST_CHARACTERS, MOST_POLICIES, length_of, pack
from stacks.remediation_catalog import read_catalog
from stacks.settings import RemediationSettings
from tests.docs.documents import DOCS
from tests.shipped_settings import load_shipped_settings


def groups():
    """The statements of the member role where everything that adds some is enabled."""
    values = load_shipped_settings().remediation.model_dump() | {
        "remediations": list(read_catalog()),
        "parameters": {
            name: dict.fromkeys(entry.parameters, "alias/security")
            for name, entry in read_catalog().items()
            if entry.parameters
        },
        "resource_tags": {"allow": {}, "deny": {"keep": ["ANY"]}},
    }
    values["automatic"]["filter"] = {"severity": "HIGH"}
    return member_role._groups(RemediationSettings.model_validate(values))


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
        f"With all {len(read_catalog())} remediations, the member role has {characters:,} characters in "
        f"{len(packed)} of them, and the longest session policy has {longest_session_policy():,} of the "
        "2,048 that STS allows."
    ) in " ".join((DOCS / "remediation.md").read_text().split())
