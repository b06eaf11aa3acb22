"""The tokens themselves: what they say, which are refused, and whose keys they are made with (RFC 8725)."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from io import StringIO
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from accounts.errors import TokenNotValid
from accounts.models import Client, Session
from accounts.sessions.store import PASSWORD
from api import tokens
from storefront.observability.logging import redact_log_text

NOW = datetime(2026, 12, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SITE = "https://shop.example"
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def session():
    """The session of an app, in no table."""
    row = Session(
        client=Client.APP, user_id=uuid4(), public_id=uuid4(), seed=bytes(range(20)), generation=3,
        signed_in_at=NOW, rotated_at=NOW, reauthenticated_by=PASSWORD,
    )  # fmt: skip
    row.read_at = NOW
    return row


def parts(token):
    """The header and the claims of a token, unproven."""
    head, body, _proof = token.split(".")
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body)]


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header, claims, key=None):
    """A token with this header and these claims, signed by the site's own key."""
    return jwt.encode(header, claims, key or tokens.token_keys()[0].key, algorithms=["ES256"])


# What they say


def test_an_access_token_says_what_other_services_need_and_nothing_of_the_person(session):
    header, claims = parts(tokens.mint_access(session))

    began = int(NOW.timestamp())
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": tokens.token_keys()[0].id}
    assert claims.pop("jti")
    assert claims == {
        "iss": SITE,
        "aud": SITE,
        "sub": str(session.user_id),
        "sid": str(session.public_id),
        "iat": began,
        "nbf": began,
        "exp": began + 600,
        "role": "client",
        "amr": ["pwd"],
        "auth_time": began,
    }
    assert 400 < len(tokens.mint_access(session)) < 700


def test_whoever_came_by_a_code_came_by_a_code(session):
    session.reauthenticated_by = "email"

    assert parts(tokens.mint_access(session))[1]["amr"] == ["otp"]


def test_the_audience_may_be_named(session, settings):
    settings.API_AUDIENCE = "orders"

    assert parts(tokens.mint_access(session))[1]["aud"] == "orders"
    assert tokens.read_access(tokens.mint_access(session)).session_id == session.public_id


def test_a_refresh_token_says_the_generation_and_the_end(session):
    header, claims = parts(tokens.mint_refresh(session))

    assert header == {"alg": "HS256", "typ": "rt+jwt", "kid": str(session.public_id)}
    assert claims == {
        "iss": SITE,
        "sid": str(session.public_id),
        "gen": 3,
        "exp": int(NOW.timestamp()) + 180 * 86400,
    }


def test_the_same_generation_makes_the_same_tokens(session):
    once = tokens.mint_access(session), tokens.mint_refresh(session)
    assert (tokens.mint_access(session), tokens.mint_refresh(session)) == once

    session.generation += 1
    assert tokens.mint_access(session) != once[0]
    assert tokens.mint_refresh(session) != once[1]


def test_two_sessions_have_no_token_and_no_id_in_common(session):
    first = tokens.mint_access(session)
    session.seed = bytes(20)

    assert parts(first)[1]["jti"] != parts(tokens.mint_access(session))[1]["jti"]
    assert tokens.mint_refresh(session) != first


def test_making_and_reading_one_costs_a_quarter_of_a_millisecond(session):
    token = tokens.mint_access(session)
    tokens.read_access(token)
    spent = time.process_time()
    for _each in range(200):
        tokens.read_access(tokens.mint_access(session))
    spent = (time.process_time() - spent) / 200

    # Four times what it takes on a machine with nothing else to do.
    assert spent < 0.001


def test_no_line_of_the_log_has_a_token_in_it(session):  # LOG-03
    for token in (tokens.mint_access(session), tokens.mint_refresh(session)):
        said = redact_log_text(f"it came with {token} and failed")

        assert not [part for part in token.split(".") if part in said]


# Access tokens that are refused

CHANGED_HEADERS = {
    "no algorithm": {"alg": "none"},
    "an algorithm of one key": {"alg": "HS256"},
    "another curve": {"alg": "ES384"},
    "a kind of its own": {"typ": "JWT"},
    "a refresh token": {"typ": "rt+jwt"},
    "no kind": {"typ": None},
    "a kind in a list": {"typ": ["at+jwt"]},
    "somebody's key": {"kid": "somebody"},
    "no key": {"kid": None},
    "a key in a list": {"kid": ["a"]},
    "a critical header": {"crit": ["b64"], "b64": False},
    "a key of its own": {"jwk": {"kty": "EC"}},
}
CHANGED_CLAIMS = {
    "another shop": {"iss": "https://evil.example"},
    "no shop": {"iss": None},
    "for somebody else": {"aud": "https://evil.example"},
    "for us and others": {"aud": [SITE, "https://evil.example"]},
    "for nobody": {"aud": None},
    "no session": {"sid": None},
    "a session that is none": {"sid": "1"},
    "an end in words": {"exp": "tomorrow"},
    "an end that is true": {"exp": True},
    "an end without end": {"exp": float("inf")},
    "no end": {"exp": None},
    "no beginning": {"nbf": None},
}


def _without_none(values):
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("changed", CHANGED_HEADERS.values(), ids=CHANGED_HEADERS)
def test_an_access_token_with_another_header_is_refused(session, changed):
    header, claims = parts(tokens.mint_access(session))
    head = b64(json.dumps(_without_none(header | changed)).encode())
    text = f"{head}.{b64(json.dumps(claims).encode())}"
    # With our own key, so that nothing but the header is wrong.
    proof = jws.JWSRegistry.algorithms["ES256"].sign(text.encode(), tokens.token_keys()[0].key)

    for token in (f"{text}.{b64(proof)}", f"{text}."):
        with pytest.raises(TokenNotValid):
            tokens.read_access(token)


@pytest.mark.parametrize("changed", CHANGED_CLAIMS.values(), ids=CHANGED_CLAIMS)
def test_an_access_token_with_another_claim_is_refused(session, changed):
    header, claims = parts(tokens.mint_access(session))

    with pytest.raises(TokenNotValid):
        tokens.read_access(signed(header, _without_none(claims | changed)))


def test_the_public_key_signs_nothing(session):  # RFC 8725 2.1
    key = tokens.token_keys()[0]
    header, claims = parts(tokens.mint_access(session))
    head = b64(json.dumps(header | {"alg": "HS256"}).encode())
    text = f"{head}.{b64(json.dumps(claims).encode())}"
    for public in (
        key.key.as_pem(private=False),
        key.key.as_pem(private=False).strip(),
        key.key.as_der(private=False),
        json.dumps(key.key.as_dict(private=False)).encode(),
    ):
        proof = hmac.digest(public, text.encode(), hashlib.sha256)
        with pytest.raises(TokenNotValid):
            tokens.read_access(f"{text}.{b64(proof)}")


def test_another_key_under_our_name_signs_nothing(session):
    header, claims = parts(tokens.mint_access(session))

    with pytest.raises(TokenNotValid):
        tokens.read_access(signed(header, claims, ECKey.generate_key("P-256")))
    rsa = RSAKey.generate_key(2048)
    with pytest.raises(TokenNotValid):
        tokens.read_access(jwt.encode(header | {"alg": "RS256"}, claims, rsa, algorithms=["RS256"]))


def test_a_refresh_token_is_no_access_token_nor_the_other_way_round(session):
    with pytest.raises(TokenNotValid):
        tokens.read_access(tokens.mint_refresh(session))
    with pytest.raises(TokenNotValid):
        tokens.read_refresh(tokens.mint_access(session), session)
    with pytest.raises(TokenNotValid):
        tokens.refresh_session_id(tokens.mint_access(session))


@pytest.mark.parametrize("at", range(0, 460, 23))
def test_no_sign_of_an_access_token_can_be_changed(session, at):
    token = tokens.mint_access(session)
    other = "A" if token[at] != "A" else "B"

    with pytest.raises(TokenNotValid):
        tokens.read_access(f"{token[:at]}{other}{token[at + 1 :]}")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b.c", "\x00", "\u00e9.a.b", "null", "[" * 1500, "e30.e30.e30"]
)
def test_what_is_no_token_is_refused(session, text):
    for read in (tokens.read_access, tokens.refresh_session_id):
        with pytest.raises(TokenNotValid):
            read(text)
    with pytest.raises(TokenNotValid):
        tokens.read_refresh(text, session)


def test_a_header_as_deep_as_a_well_is_refused():
    with pytest.raises(TokenNotValid):
        tokens.read_access(f"{b64(b'[' * 1400)}.e30.e30")


# Refresh tokens that are refused

CHANGED_REFRESH = {
    "another shop": {"iss": "https://evil.example"},
    "another session": {"sid": str(uuid4())},
    "a generation in words": {"gen": "3"},
    "a generation that is true": {"gen": True},
    "no generation": {"gen": None},
    "no end": {"exp": None},
    "at its end": {"exp": int(NOW.timestamp())},
}


@pytest.mark.parametrize("changed", CHANGED_REFRESH.values(), ids=CHANGED_REFRESH)
def test_a_refresh_token_with_another_claim_is_refused(session, changed):
    header, claims = parts(tokens.mint_refresh(session))
    key = OctKey.import_key(
        hmac.digest(tokens.token_keys()[0].secret, b"refresh" + bytes(session.seed), "sha256")
    )
    assert tokens.read_refresh(jwt.encode(header, claims, key, algorithms=["HS256"]), session) == 3
    forged = jwt.encode(header, _without_none(claims | changed), key, algorithms=["HS256"])

    with pytest.raises(TokenNotValid):
        tokens.read_refresh(forged, session)


def test_a_refresh_token_works_up_to_its_last_second(session):
    token = tokens.mint_refresh(session)
    session.read_at = datetime.fromtimestamp(int(NOW.timestamp()) + 180 * 86400 - 1, UTC)
    assert tokens.read_refresh(token, session) == 3

    session.read_at = datetime.fromtimestamp(int(NOW.timestamp()) + 180 * 86400, UTC)
    with pytest.raises(TokenNotValid):
        tokens.read_refresh(token, session)


def test_the_seed_of_another_session_reads_nothing(session):
    token = tokens.mint_refresh(session)
    session.seed = bytes(20)

    with pytest.raises(TokenNotValid):
        tokens.read_refresh(token, session)


def test_a_refresh_token_without_an_algorithm_is_refused(session):
    header, claims = parts(tokens.mint_refresh(session))
    text = (
        f"{b64(json.dumps(header | {'alg': 'none'}).encode())}.{b64(json.dumps(claims).encode())}"
    )

    for token in (f"{text}.", text):
        with pytest.raises(TokenNotValid):
            tokens.read_refresh(token, session)


# Keys


def test_a_new_key_is_brought_in_by_two_restarts_and_no_token_dies(session, settings):  # KEY-01
    old, new = settings.TOKEN_KEYS[0], tokens.new_key()
    made = []
    for before, after in (([old], [old, new]), ([old, new], [new, old])):
        # While processes restart, some know the one and some the other.
        for _turn in range(2):
            for keys in (before, after):
                settings.TOKEN_KEYS = keys
                made.append((tokens.mint_access(session), tokens.mint_refresh(session)))
                for access, refresh in made:
                    assert tokens.read_access(access).session_id == session.public_id
                    assert tokens.read_refresh(refresh, session) == 3


def test_a_key_that_was_taken_out_opens_nothing(session, settings):
    access, refresh = tokens.mint_access(session), tokens.mint_refresh(session)
    settings.TOKEN_KEYS = [tokens.new_key()]

    with pytest.raises(TokenNotValid):
        tokens.read_access(access)
    with pytest.raises(TokenNotValid):
        tokens.read_refresh(refresh, session)


def test_while_developing_there_is_a_key_that_stays_the_same(settings):
    settings.TOKEN_KEYS, settings.DEBUG = [], True
    first = tokens.token_keys()
    assert tokens.token_keys() == first

    settings.SECRET_KEY += "!"
    assert tokens.token_keys() != first

    settings.DEBUG = False
    with pytest.raises(ImproperlyConfigured):
        tokens.token_keys()


def test_the_command_says_the_value_for_each_restart(settings):
    old = settings.TOKEN_KEYS[0]
    said = StringIO()
    call_command("token_keys", "new", stdout=said)

    first, second = (
        line.partition("=")[2].split(",")
        for line in said.getvalue().splitlines()
        if line.startswith("TOKEN_KEYS=")
    )
    assert first == second[::-1]
    assert first[0] == old
    settings.TOKEN_KEYS = second
    assert [key.id for key in tokens.token_keys()] == [tokens.read_key(text).id for text in second]

    said = StringIO()
    call_command("token_keys", "retire", stdout=said)
    assert f"TOKEN_KEYS={second[0]}\n" in said.getvalue()
    assert "30 days" in said.getvalue()


def test_the_command_makes_the_first_key_and_takes_out_no_last_one(settings):
    settings.TOKEN_KEYS = []
    said = StringIO()
    call_command("token_keys", "new", stdout=said)
    assert tokens.read_key(said.getvalue().partition("TOKEN_KEYS=")[2].strip())

    settings.TOKEN_KEYS = [tokens.new_key()]
    with pytest.raises(CommandError, match="no older key"):
        call_command("token_keys", "retire")


# Whoever verifies them elsewhere


def test_other_services_verify_with_the_public_keys_alone(session, client, settings):
    settings.TOKEN_KEYS = [tokens.new_key(), *settings.TOKEN_KEYS]
    answer = client.get(JWKS)
    published = KeySet.import_key_set(answer.json())

    read = jwt.decode(tokens.mint_access(session), published, algorithms=["ES256"])
    assert read.claims["sub"] == str(session.user_id)
    assert [key["kid"] for key in answer.json()["keys"]] == [key.id for key in tokens.token_keys()]


@pytest.mark.django_db
def test_the_public_keys_may_be_kept_and_cost_no_statement(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get(JWKS)

    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert not answer.cookies
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert client.post(JWKS).status_code == 405
