"""The tokens of apps: made and read, with the keys for it. Arithmetic alone, no clock and no rows (RFC 8725, RFC 9068).

An access token is signed with a key of which everybody may have the public half. A refresh token is only for us: its
key is worked out from ours and the session's seed, so that none is stored and the same one can be made again.
"""

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from joserfc.jws import JWSAlgModel, JWSRegistry

from accounts import conf
from accounts.errors import TokenNotValid
from accounts.models import Session
from accounts.sessions.store import PASSWORD

ACCESS, REFRESH = "at+jwt", "rt+jwt"
# Ours have about 500 characters.
LENGTH_MAX = 2048
SCALAR_BYTES = 32
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# What a text that is no token may bring about, the last one by its depth.
UNREADABLE = (JoseError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token of ours says: whose it is, of which session, and from when until when it works."""

    user_id: str
    session_id: uuid.UUID
    begins: int
    ends: int

    def is_current(self, at: datetime) -> bool:
        """Whether it works at this moment; at its last second it works no more."""
        return self.begins <= at.timestamp() < self.ends


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One of TOKEN_KEYS: its public name, the key that signs, and the secret that other keys are worked out from."""

    id: str
    key: ECKey
    secret: bytes


def mint_access(session: Session) -> str:
    """Make the access token of `session` in its present generation; made again, it has the same bytes."""
    key, at = token_keys()[0], _began(session)
    claims = {
        "iss": settings.SITE_URL,
        "aud": settings.API_AUDIENCE,
        "sub": str(session.user_id),
        "sid": str(session.public_id),
        "iat": at,
        "nbf": at,
        "exp": at + int(conf.API_ACCESS_TTL.total_seconds()),
        "jti": _token_id(session, key),
        "role": "client",
        "amr": ["pwd" if session.reauthenticated_by == PASSWORD else "otp"],
        "auth_time": int(session.signed_in_at.timestamp()),
    }
    return jwt.encode(_access_header(key), claims, key.key, registry=REPEATABLE)


def read_access(token: str) -> Access:
    """Read an access token that we signed, at whatever time. Raises TokenNotValid."""
    try:
        header = _header(token)
        for key in token_keys():
            # Nothing more may be in it: no key of its own, nothing that changes how it is read.
            if header == _access_header(key):
                return _access(jwt.decode(token, key.key, algorithms=["ES256"]))
    except UNREADABLE:
        pass
    raise TokenNotValid


def mint_refresh(session: Session) -> str:
    """Make the refresh token of `session` in its present generation; made again, it has the same bytes."""
    ends = session.signed_in_at + conf.APP_SESSION_ABSOLUTE
    claims = {
        "iss": settings.SITE_URL,
        "sid": str(session.public_id),
        "gen": session.generation,
        "exp": int(ends.timestamp()),
    }
    key = _refresh_key(session, token_keys()[0])
    return jwt.encode(_refresh_header(session), claims, key, algorithms=["HS256"])


def refresh_session_id(token: str) -> uuid.UUID:
    """Which session a refresh token speaks of; proves nothing yet. Raises TokenNotValid."""
    try:
        return uuid.UUID(str(_header(token).get("kid")))
    except UNREADABLE:
        raise TokenNotValid from None


def read_refresh(token: str, session: Session) -> int:
    """Read the generation in a refresh token of `session`. Raises TokenNotValid."""
    for key in token_keys():
        try:
            read = jwt.decode(token, _refresh_key(session, key), algorithms=["HS256"])
        except UNREADABLE:
            continue
        return _generation(read, session)
    raise TokenNotValid


def jwks() -> dict[str, list[dict[str, Any]]]:
    """The public halves of all keys, for whoever verifies access tokens (RFC 7517)."""
    about = {"use": "sig", "alg": "ES256"}
    return {
        "keys": [
            {**each.key.as_dict(private=False), "kid": each.id, **about} for each in token_keys()
        ]
    }


def token_keys() -> tuple[TokenKey, ...]:
    """The keys of this site: the first signs, all verify. Raises ImproperlyConfigured where there is none."""
    if settings.TOKEN_KEYS:
        return _read_keys(tuple(settings.TOKEN_KEYS))
    if settings.DEBUG:
        return _read_keys((_development_key(settings.SECRET_KEY),))
    raise ImproperlyConfigured("TOKEN_KEYS is empty.")


def new_key() -> str:
    """Make a key as TOKEN_KEYS holds it."""
    return _as_text(ec.generate_private_key(ec.SECP256R1()))


@lru_cache(maxsize=8)
def _read_keys(texts: tuple[str, ...]) -> tuple[TokenKey, ...]:
    return tuple(map(read_key, texts))


def read_key(text: str) -> TokenKey:
    """Read one of TOKEN_KEYS. Raises ValueError for what is no P-256 key in PKCS8."""
    private = serialization.load_der_private_key(base64.urlsafe_b64decode(text), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise ValueError("A key of tokens is one of P-256.")
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = ECKey.import_key(pem)
    secret = private.private_numbers().private_value.to_bytes(SCALAR_BYTES)
    return TokenKey(key.thumbprint(), key, secret)


def _development_key(secret_key: str) -> str:
    digest = hmac.digest(secret_key.encode(), b"api.tokens", "sha512")
    scalar = int.from_bytes(digest) % (P256_ORDER - 1) + 1
    return _as_text(ec.derive_private_key(scalar, ec.SECP256R1()))


def _as_text(private: ec.EllipticCurvePrivateKey) -> str:
    der = private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return base64.urlsafe_b64encode(der).decode()


def _header(token: str) -> dict[str, Any]:
    """The header of what may be a token, unproven. Raises ValueError, JoseError."""
    if len(token) > LENGTH_MAX or not token.isascii():
        raise ValueError("Not a token of ours.")
    return jws.extract_compact(token.encode()).headers()


def _access(read: jwt.Token) -> Access:
    """What a signed token says, if it is an access token of ours. Raises ValueError."""
    claims = read.claims
    if (claims.get("iss"), claims.get("aud")) != (settings.SITE_URL, settings.API_AUDIENCE):
        raise ValueError("Signed by us, for something else.")
    begins, ends = claims.get("nbf"), claims.get("exp")
    if type(begins) is not int or type(ends) is not int:
        raise ValueError("Without a time.")
    return Access(str(claims.get("sub")), uuid.UUID(str(claims.get("sid"))), begins, ends)


def _generation(read: jwt.Token, session: Session) -> int:
    """The generation that a signed token says, if it is a refresh token of `session`. Raises TokenNotValid."""
    claims, generation, ends = read.claims, read.claims.get("gen"), read.claims.get("exp")
    is_of_session = (claims.get("iss"), claims.get("sid")) == (
        settings.SITE_URL,
        str(session.public_id),
    )
    if read.header != _refresh_header(session) or not is_of_session:
        raise TokenNotValid
    if type(generation) is not int or type(ends) is not int:
        raise TokenNotValid
    if session.read_at.timestamp() >= ends:
        raise TokenNotValid
    return generation


def _access_header(key: TokenKey) -> dict[str, str]:
    return {"alg": "ES256", "typ": ACCESS, "kid": key.id}


def _refresh_header(session: Session) -> dict[str, str]:
    return {"alg": "HS256", "typ": REFRESH, "kid": str(session.public_id)}


def _began(session: Session) -> int:
    """When the present generation began, by the database's clock."""
    return int((session.rotated_at or session.signed_in_at).astimezone(UTC).timestamp())


def _token_id(session: Session, key: TokenKey) -> str:
    text = f"access {session.generation}".encode()
    digest = hmac.digest(_secret(session, key), text, "sha256")
    return base64.urlsafe_b64encode(digest[:18]).decode()


def _refresh_key(session: Session, key: TokenKey) -> OctKey:
    return OctKey.import_key(_secret(session, key))


def _secret(session: Session, key: TokenKey) -> bytes:
    return hmac.digest(key.secret, b"refresh" + bytes(session.seed or b""), hashlib.sha256)


class _RepeatableES256(JWSAlgModel):
    """ES256 with the same signature for the same text (RFC 6979): whoever asks again gets the same answer."""

    name = "ES256"
    description = "ECDSA using P-256 and SHA-256, deterministic"
    recommended = True
    key_type = "EC"

    def sign(self, msg: bytes, key: Any) -> bytes:
        """Sign `msg` with an ECKey."""
        how = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        numbers = decode_dss_signature(key.get_op_key("sign").sign(msg, how))
        return b"".join(each.to_bytes(SCALAR_BYTES) for each in numbers)

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:
        """As every other ES256."""
        return JWSRegistry.algorithms[self.name].verify(msg, sig, key)


class _RepeatableRegistry(JWSRegistry):
    algorithms = {"ES256": _RepeatableES256()}


REPEATABLE = _RepeatableRegistry(algorithms=["ES256"])
