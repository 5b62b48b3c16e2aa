"""Verifies assertions as ServiceNow does, and signs them as AWS KMS does, in plain arithmetic.

Source: https://www.rfc-editor.org/rfc/rfc8017#section-8.2
Source: https://docs.servicenow.com/bundle/tokyo-platform-security/page/administer/security/task/create-jwt-endpoint.html
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

# Mersenne primes: nobody should use them, and nobody has to search for them.
_P, _Q, _E = 2**521 - 1, 2**607 - 1, 65_537
_LONGEST_SECONDS = 3_600
# The ASN.1 prefix of a SHA-256 digest.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True)
class RsaKey:
    """An RSA key, of which others know only the modulus."""

    modulus: int = _P * _Q

    @property
    def size(self) -> int:
        """How many bytes a signature has."""
        return (self.modulus.bit_length() + 7) // 8

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256."""
        private = pow(_E, -1, (_P - 1) * (_Q - 1))
        return pow(int.from_bytes(self._padded(message)), private, self.modulus).to_bytes(self.size)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        opened = pow(int.from_bytes(signature), _E, self.modulus)
        return opened == int.from_bytes(self._padded(message))

    def _padded(self, message: bytes) -> bytes:
        digest = _DIGEST_INFO + hashlib.sha256(message).digest()
        return b"\x00\x01" + b"\xff" * (self.size - len(digest) - 3) + b"\x00" + digest


@dataclass(kw_only=True)
class JwtVerifier:
    """What an application in ServiceNow demands of assertions.

    Attributes:
        seen: the IDs of the assertions that it has accepted.
    """

    key: RsaKey
    client_id: str
    subject: str
    kid: str
    seen: set[str] = field(default_factory=set)

    def accepts(self, assertion: str) -> bool:
        """Whether an assertion is signed, of now, for this application and a user, and new."""
        signed, _, signature = assertion.rpartition(".")
        if not signed or not self.key.has_signed(signed.encode(), _bytes(signature)):
            return False
        header, claims = (json.loads(_bytes(part)) for part in signed.split("."))
        return self._fits(header, claims)

    def _fits(self, header: dict[str, Any], claims: dict[str, Any]) -> bool:
        wanted = {"iss": self.client_id, "aud": self.client_id, "sub": self.subject}
        now = time.time()
        is_new = bool(claims["jti"]) and claims["jti"] not in self.seen
        self.seen.add(claims["jti"])
        return (
            is_new
            and (header["alg"], header.get("kid", "")) == ("RS256", self.kid)
            and wanted.items() <= claims.items()
            and claims["iat"] <= now + 5
            and now < claims["exp"] <= now + _LONGEST_SECONDS
        )


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
