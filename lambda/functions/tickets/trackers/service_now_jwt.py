"""Assertions for ServiceNow's JWT bearer grant, which AWS KMS signs with a key that never leaves it.

Source: https://www.servicenow.com/docs/r/zurich/platform-security/authentication/jwt-bearer-grant.html
Source: https://docs.servicenow.com/bundle/tokyo-platform-security/page/administer/security/task/create-jwt-endpoint.html
Source: https://www.rfc-editor.org/rfc/rfc7523#section-3
"""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.tickets.trackers.calls import Failure, secret_member
from invocation.clients import create_client
from invocation.secrets import Secret

GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ALGORITHM: Final = "RSASSA_PKCS1_V1_5_SHA_256"
"""What JWT calls RS256. Source: https://www.rfc-editor.org/rfc/rfc7518#section-3.3"""

_SECONDS: Final = 300
_THROTTLED: Final = frozenset({"ThrottlingException", "LimitExceededException", "KMSInternalException"})


class SigningError(Exception):
    """AWS KMS didn't sign, so no token was requested.

    Attributes:
        failure: Why, and what to do.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.said)


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtBearer:
    """What requests tokens for the user in whose name incidents are created.

    Attributes:
        key_id: The ID of an RSA key in AWS KMS for signing.
        client_id: The ID of the application in ServiceNow, which is also issuer and audience.
        client_secret: Its secret; empty for a public client.
        subject: What identifies the user, by the column that the application names.
        verifier: The key ID (`kid`) of the verifier map in ServiceNow; empty if it has none.
    """

    key_id: str
    client_id: str
    client_secret: str
    subject: str
    verifier: str

    @classmethod
    def of(cls, secret: Secret, key_id: str) -> JwtBearer:
        """Read the members of the tracker's secret.

        Raises:
            TrackerError: A member is missing.
        """
        client_id, subject = (
            secret_member(secret, name, "SERVICENOW_SECRET") for name in ("client_id", "jwt_subject")
        )
        return cls(
            key_id=key_id,
            client_id=client_id,
            client_secret=str(secret.get("client_secret", "")).strip(),
            subject=subject,
            verifier=str(secret.get("jwt_kid", "")).strip(),
        )

    def form(self) -> Mapping[str, str]:
        """Return the form of a request for a token. Each has an assertion of its own.

        Raises:
            SigningError: AWS KMS didn't sign.
        """
        form = {"grant_type": GRANT, "client_id": self.client_id, "assertion": self._assertion()}
        return {**form, "client_secret": self.client_secret} if self.client_secret else form

    def _assertion(self) -> str:
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", **({"kid": self.verifier} if self.verifier else {})}
        claims = {
            "iss": self.client_id,
            "sub": self.subject,
            "aud": self.client_id,
            "iat": now,
            "exp": now + _SECONDS,
            # ServiceNow refuses an ID that it has seen.
            "jti": str(uuid.uuid4()),
        }
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{signed}.{_encoded(self._signature(signed.encode()))}"

    def _signature(self, message: bytes) -> bytes:
        try:
            answer = create_client("kms").sign(
                KeyId=self.key_id, Message=message, MessageType="RAW", SigningAlgorithm=_ALGORITHM
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
            raise SigningError(
                Failure(
                    status=HTTPStatus.TOO_MANY_REQUESTS if code in _THROTTLED else status,
                    said=f"AWS KMS did not sign the request for a token ({code})",
                    cure="The key of ticketing.service_now.jwt_key_id must be an enabled RSA key for signing "
                    "in the stack's account and Region, whose policy lets the account's IAM policies decide.",
                    is_before_sign_in=True,
                )
            ) from None
        except BotoCoreError as error:
            raise SigningError(
                Failure(
                    status=None,
                    said=f"AWS KMS gave no readable response ({type(error).__name__})",
                    is_before_sign_in=True,
                )
            ) from None
        signature: bytes = answer["Signature"]
        return signature


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
