"""Account settings that MiniStack lacks or handles differently: EBS encryption, public access, passwords.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableEbsEncryptionByDefault.html
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ministack import app
from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, iam

from emulator.services import reset_also

_S3_PATH: Final = "/v20180820/configuration/publicAccessBlock"
_S3_SETTINGS: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# Copied for each answer: MiniStack adds to it.
_XML: Final = {"Content-Type": "application/xml"}

Response = tuple[int, dict[str, str], bytes]

_encrypts: dict[tuple[str, str], bool] = {}
_s3_blocks: dict[str, Mapping[str, bool]] = {}


def register() -> None:
    """Add the operations to MiniStack."""
    for name, enabled in (("Get", None), ("Enable", True), ("Disable", False)):
        operation = f"{name}EbsEncryptionByDefault"
        ec2._ACTION_MAP[operation] = _ebs_operation(operation, enabled=enabled)  # noqa: SLF001 - see tests/emulator/contract
    iam._IAM_HANDLERS["UpdateAccountPasswordPolicy"] = _replace_password_policy  # noqa: SLF001
    original = app._handle_s3_control_request  # noqa: SLF001

    async def handle(  # noqa: PLR0917 - MiniStack's signature
        path: str,
        method: str,
        body: bytes,
        query_params: dict[str, Any],
        request_id: str,
        headers: dict[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - MiniStack is untyped
        if path == _S3_PATH:
            return _public_access_block(method, body, headers or {})
        return await original(path, method, body, query_params, request_id, headers)

    app._handle_s3_control_request = handle  # noqa: SLF001
    ec2.reset = reset_also(ec2.reset, _encrypts.clear, _s3_blocks.clear)


def _replace_password_policy(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """A setting that the request omits gets its default, whereas MiniStack keeps its value.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html
    """
    iam._account_password_policy["policy"] = {"MinimumPasswordLength": 6}  # noqa: SLF001
    return iam._update_account_password_policy(parameters)  # noqa: SLF001


def _ebs_operation(operation: str, *, enabled: bool | None) -> Any:  # noqa: ANN401
    def handle(_parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
        place = (get_account_id(), get_region())
        if enabled is not None:
            _encrypts[place] = enabled
        value = str(_encrypts.get(place, False)).lower()
        return ec2._xml(  # noqa: SLF001
            200, f"{operation}Response", f"<ebsEncryptionByDefault>{value}</ebsEncryptionByDefault>"
        )

    return handle


def _public_access_block(method: str, body: bytes, headers: Mapping[str, str]) -> Response:
    account = get_account_id()
    if headers.get("x-amz-account-id") != account:
        return _error(403, "AccessDenied", "Access Denied")
    if method == "PUT":
        _s3_blocks[account] = {name: _is_true(name, body) for name in _S3_SETTINGS}
        return 200, {}, b""
    if method == "DELETE":
        _s3_blocks.pop(account, None)
        return 204, {}, b""
    if account not in _s3_blocks:
        code = "NoSuchPublicAccessBlockConfiguration"
        return _error(404, code, "The public access block configuration was not found")
    settings = "".join(f"<{name}>{str(on).lower()}</{name}>" for name, on in _s3_blocks[account].items())
    return 200, dict(_XML), _document("PublicAccessBlockConfiguration", settings)


def _is_true(name: str, body: bytes) -> bool:
    return re.search(rf"<{name}>\s*true\s*</{name}>".encode(), body) is not None


def _error(status: int, code: str, message: str) -> Response:
    return (
        status,
        dict(_XML),
        _document("ErrorResponse", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
    )


def _document(root: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{content}</{root}>'.encode()
