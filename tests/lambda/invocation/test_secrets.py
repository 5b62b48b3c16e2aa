from __future__ import annotations

from types import SimpleNamespace

import pytest

from invocation.secrets import KEPT_SECONDS, Secrets


@pytest.fixture
def manager():
    """Secrets Manager, a clock, and what was read."""
    values = {"a": '{"token": "1"}'}
    read = []

    def get_secret_value(SecretId):  # noqa: N803 - boto3's name
        read.append(SecretId)
        return {"SecretString": values[SecretId]} if SecretId in values else {"SecretBinary": b"{}"}

    return SimpleNamespace(get_secret_value=get_secret_value, values=values, read=read, now=1000.0)


@pytest.fixture
def secrets(manager):
    return Secrets(manager, now=lambda: manager.now)


def test_a_secret_is_read_once_for_some_minutes_and_then_anew(manager, secrets):
    assert secrets.get("a") == {"token": "1"}
    manager.values["a"] = '{"token": "2"}'
    manager.now += KEPT_SECONDS - 1
    assert secrets.get("a") == {"token": "1"}
    manager.now += 1
    assert secrets.get("a") == {"token": "2"}
    assert manager.read == ["a", "a"]


def test_a_secret_that_was_refused_is_read_anew(manager, secrets):
    secrets.get("a")
    manager.values["a"] = '{"token": "2"}'
    assert secrets.get("a", fresh=True) == {"token": "2"}
    assert secrets.get("a") == {"token": "2"}


@pytest.mark.parametrize("value", ["s3cret", '["s3cret"]', '"s3cret"', "{s3cret"])
def test_a_secret_that_is_no_json_object_is_an_error_that_does_not_show_it(manager, secrets, value):
    manager.values["a"] = value
    with pytest.raises(ValueError, match="The secret a must hold a JSON object") as caught:
        secrets.get("a")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "s3cret" not in str(caught.value)


def test_a_binary_secret_is_an_error(secrets):
    with pytest.raises(ValueError, match="The secret binary must hold a JSON object"):
        secrets.get("binary")


def test_the_client_does_not_wait_so_long_that_others_have_no_turn(monkeypatch):
    monkeypatch.setattr("invocation.secrets.create_client", lambda _, *, read_seconds: read_seconds)
    secrets = Secrets()
    with pytest.raises(AttributeError):
        secrets.get("a")
    assert secrets._client == 5
