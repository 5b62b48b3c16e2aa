from __future__ import annotations

import pytest
from pydantic import ValidationError

from stacks.settings.encryption import EncryptionSettings

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = "arn:aws:kms:eu-west-1:111122223333:key/"


@pytest.mark.parametrize(
    "key",
    ["", "create", f"{ARN}{ID}", f"{ARN}mrk-{'1' * 32}", f"arn:aws-cn:kms:cn-north-1:111122223333:key/{ID}"],
)
def test_a_key_can_be_named_or_created(key):
    assert EncryptionSettings(key=key, earlier_keys=[]).key == key


@pytest.mark.parametrize(
    "key", ["new", ID, "alias/mine", "arn:aws:kms:eu-west-1:111122223333:alias/mine", f"{ARN}{ID}\n", ARN]
)
def test_what_is_not_a_key_is_refused(key):
    with pytest.raises(ValidationError):
        EncryptionSettings(key=key, earlier_keys=[])


def test_the_keys_before_are_named_by_their_arns_once_each():
    before = [f"{ARN}{ID}", f"{ARN}mrk-{'1' * 32}"]
    assert EncryptionSettings(key="", earlier_keys=before).earlier_keys == before
    for wrong in ([""], ["create"], before * 2):
        with pytest.raises(ValidationError):
            EncryptionSettings(key="", earlier_keys=wrong)
