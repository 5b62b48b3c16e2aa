from __future__ import annotations

import pytest

from stacks.settings import SettingsError

LEAD = "arn:aws:iam::111122223333:role/path/SecurityLead"
VALID = {
    "enabled": "true",
    "approvers": f'["{LEAD}"]',
    "remediations": '["s3_public_access"]',
    "accounts": '["ANY"]',
}


def table(**changes):
    values = VALID | changes
    return "[remediation.approval]\n" + "\n".join(f"{name} = {value}" for name, value in values.items())


def test_as_shipped_nothing_needs_approval(overlaid):
    assert not overlaid("").remediation.approval.enabled


def test_what_is_named_needs_approval(overlaid):
    approval = overlaid(table(controls='["S3.8"]', hours="720")).remediation.approval
    assert (approval.approvers, approval.controls, approval.hours) == ([LEAD], ["S3.8"], 720)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"approvers": "[]"}, "enabled is true, but approvers is empty"),
        ({"accounts": "[]"}, "enabled is true, but accounts is empty"),
        ({"remediations": "[]"}, "remediations and controls are empty"),
        ({"minimum_approvals": "2"}, "minimum_approvals is 2, but only 1 can approve"),
        ({"approvers": f'["{LEAD}", "{LEAD}"]'}, "duplicate values are not allowed"),
        ({"approvers": '["arn:aws:iam::111122223333:role/*"]'}, "ARNs of at most 10 IAM roles and users"),
        ({"approvers": '["SecurityLead"]'}, "ARNs of at most 10 IAM roles and users"),
        ({"approvers": str([f"{LEAD}{n}" for n in range(11)])}, "at most 10"),
        ({"hours": "0"}, "a whole number from 1 to 720"),
        ({"hours": "721"}, "a whole number from 1 to 720"),
        ({"remediations": '["sqs_encryption"]'}, "remediations contains sqs_encryption, which isn't enabled"),
        ({"controls": '["EC2.8"]'}, "controls contains EC2.8, which no enabled remediation has; specify"),
        ({"accounts": '["all"]'}, "a list of 12-digit account IDs"),
        ({"emails": '["leads"]'}, "a list of email addresses"),
    ],
)
def test_what_would_let_nobody_approve_or_nothing_need_approval_is_an_error(overlaid, changes, message):
    with pytest.raises(SettingsError, match=message):
        overlaid(table(**changes))


def test_what_is_disabled_needs_neither_approvers_nor_accounts(overlaid):
    assert not overlaid(table(enabled="false", approvers="[]", accounts="[]")).remediation.approval.enabled
