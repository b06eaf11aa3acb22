"""The vault: credentials sealed for one row and one field, under keys that can be changed while the site runs."""

import io
import threading
import traceback
import uuid

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import SecurityEvent
from messaging.credentials import key_rotation, vault
from messaging.models import Alert, Provider

SECRET = "key-canary-0123456789"
ROW = uuid.UUID(int=1)
PLACE = {"row": ROW, "field": "api_key"}
OLD, NEW, STRANGE = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def _keys(settings):
    """The keys, newest first; tests change the list."""
    settings.VAULT_KEYS = [OLD]


def row(name="main", **secrets):
    """A provider with these secrets, sealed now."""
    provider = Provider(name=name, kind="smtp", channel="email")
    for field, secret in secrets.items():
        provider.set_secret(field, secret)
    provider.save()
    return provider


def rotate(capsys):
    """Run the command; returns what it said."""
    call_command("rotate_vault")
    return capsys.readouterr().out.strip()


def test_what_was_sealed_opens():
    assert vault.unseal(vault.seal(SECRET, **PLACE), **PLACE) == SECRET


@pytest.mark.parametrize("secret", ["", "a:b:c", "ключ-🔑", "x" * 4000, f"{ROW}:api_key:"])
def test_any_text_can_be_sealed(secret):
    assert vault.unseal(vault.seal(secret, **PLACE), **PLACE) == secret


def test_a_token_says_nothing_and_never_the_same():  # ADM-05
    tokens = {vault.seal(SECRET, **PLACE) for _ in range(3)}

    assert len(tokens) == 3
    assert not any(SECRET in token or "api_key" in token for token in tokens)


@pytest.mark.parametrize("elsewhere", [{"row": uuid.UUID(int=2)}, {"field": "webhook_key"}])
def test_a_token_of_another_row_or_field_stays_shut(elsewhere):  # ADM-05
    token = vault.seal(SECRET, **PLACE | elsewhere)

    for look in (vault.unseal, vault.reseal):
        with pytest.raises(vault.Locked):
            look(token, **PLACE)


def test_two_rows_cannot_swap_their_secrets(db):  # ADM-05
    ana, bea = row("ana", api_key="one"), row("bea", api_key="two")
    ana.sealed, bea.sealed = bea.sealed, ana.sealed

    for provider in (ana, bea):
        with pytest.raises(vault.Locked):
            _ = provider.values


@pytest.mark.parametrize("now", [[], [STRANGE]], ids=["no key", "another key"])
def test_without_the_key_it_stays_shut(settings, now):  # ADM-05
    token = vault.seal(SECRET, **PLACE)
    settings.VAULT_KEYS = now

    for look in (vault.unseal, vault.reseal):
        with pytest.raises(vault.Locked):
            look(token, **PLACE)
    assert vault.sealed_at(token) is None


@pytest.mark.parametrize("keys", [[], ["short"], ["ключ"], [OLD, "short"]])
def test_nothing_can_be_sealed_without_usable_keys(settings, keys):
    settings.VAULT_KEYS = keys

    assert not vault.can_seal()
    with pytest.raises(vault.Locked):
        vault.seal(SECRET, **PLACE)


@pytest.mark.parametrize("token", ["", "x", "ключ", "gAAAA", None, 7, {}, ["x"]], ids=repr)
def test_what_is_no_token_stays_shut(token):
    for look in (vault.unseal, vault.reseal):
        with pytest.raises(vault.Locked):
            look(token, **PLACE)
    assert vault.sealed_at(token) is None


def test_a_changed_token_stays_shut():
    token = vault.seal(SECRET, **PLACE)
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]

    with pytest.raises(vault.Locked):
        vault.unseal(changed, **PLACE)


def test_an_older_key_still_opens(settings):  # ADM-05
    token = vault.seal(SECRET, **PLACE)
    settings.VAULT_KEYS = [NEW, OLD]

    assert vault.unseal(token, **PLACE) == SECRET


def test_renewed_it_opens_with_the_first_key_alone_and_keeps_its_date(settings):  # ADM-05
    token = vault.seal(SECRET, **PLACE)
    settings.VAULT_KEYS = [NEW, OLD]

    fresh = vault.reseal(token, **PLACE)

    settings.VAULT_KEYS = [NEW]
    assert vault.unseal(fresh, **PLACE) == SECRET
    assert vault.reseal(fresh, **PLACE) == fresh
    settings.VAULT_KEYS = [OLD]
    assert vault.sealed_at(token)
    with pytest.raises(vault.Locked):
        vault.unseal(fresh, **PLACE)


@pytest.mark.parametrize("keys", [[], [STRANGE], ["key-canary-short"]])
def test_what_goes_wrong_quotes_nothing(settings, keys):  # ADM-05
    token = vault.seal(SECRET, **PLACE)
    settings.VAULT_KEYS = keys

    with pytest.raises(vault.Locked) as raised:
        vault.unseal(token, **PLACE)

    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert not any(word in told for word in ("canary", token, *keys))


# The command


def test_rotation_seals_everything_under_the_first_key(db, settings, capsys):  # ADM-05
    row("main", api_key="one", webhook_key="two")
    row("spare", api_key="three")
    row("open")
    settings.VAULT_KEYS = [NEW, OLD]

    assert rotate(capsys) == "3 sealed anew"

    settings.VAULT_KEYS = [NEW]
    opened = {provider.name: provider.values for provider in Provider.objects.all()}
    assert opened == {
        "main": {"api_key": "one", "webhook_key": "two"},
        "spare": {"api_key": "three"},
        "open": {},
    }


def test_staff_hear_of_a_rotation(db, settings, capsys, caplog):  # LOG-01, LOG-06
    row(api_key=SECRET)
    settings.VAULT_KEYS = [NEW, OLD]

    rotate(capsys)

    assert Alert.objects.get().kind == "keys_rotated"
    assert "alert: keys_rotated" in caplog.text
    told = SecurityEvent.objects.get()
    assert (told.kind, told.user, told.about) == ("keys_rotated", None, "")


def test_a_second_rotation_has_nothing_to_do(db, settings, capsys):
    row(api_key="one")
    settings.VAULT_KEYS = [NEW, OLD]
    rotate(capsys)
    before = list(Provider.objects.values())

    assert rotate(capsys) == "0 sealed anew"

    assert SecurityEvent.objects.filter(kind="keys_rotated").count() == 1
    assert list(Provider.objects.values()) == before


def test_rotation_names_the_rows_it_cannot_open_and_does_the_others(db, settings, capsys):  # ADM-05
    settings.VAULT_KEYS = [STRANGE]
    lost = row("lost", api_key=SECRET)
    settings.VAULT_KEYS = [OLD]
    row("main", api_key="one")
    swapped = row("swapped", api_key="two", webhook_key="three")
    swapped.sealed["api_key"] = swapped.sealed["webhook_key"]
    swapped.save()
    settings.VAULT_KEYS = [NEW, OLD]

    with pytest.raises(CommandError) as told:
        call_command("rotate_vault")

    assert told.value.returncode == 1
    assert str(told.value).endswith("of: lost, swapped")
    assert capsys.readouterr().out.strip() == "2 sealed anew"
    assert Provider.objects.get(name="lost").sealed == lost.sealed
    settings.VAULT_KEYS = [NEW]
    assert Provider.objects.get(name="main").values == {"api_key": "one"}


def test_rotation_without_a_key_says_so(db, settings):
    settings.VAULT_KEYS = []

    with pytest.raises(CommandError, match="VAULT_KEYS"):
        call_command("rotate_vault")


def test_what_staff_save_during_a_rotation_stands(db, settings, capsys, monkeypatch):  # ADM-05
    main = row(api_key="old secret", webhook_key="hook")
    settings.VAULT_KEYS = [NEW, OLD]
    replace, edits = key_rotation._replace, iter(["first edit", "second edit"])

    def interrupted(read, sealed):
        # Between what the command read and what it writes, staff save.
        for secret in edits:
            edited = Provider.objects.get(pk=main.pk)
            edited.set_secret("api_key", secret)
            edited.save()
            break
        return replace(read, sealed)

    monkeypatch.setattr(key_rotation, "_replace", interrupted)

    assert rotate(capsys) == "1 sealed anew"

    settings.VAULT_KEYS = [NEW]
    assert Provider.objects.get().values == {"api_key": "second edit", "webhook_key": "hook"}


@pytest.mark.django_db(transaction=True)
def test_rotation_and_many_edits_at_once_lose_nothing(settings):  # ADM-05
    main = row(api_key="0", webhook_key="hook")
    settings.VAULT_KEYS = [NEW, OLD]
    done, troubles = threading.Event(), []

    def rotates():
        try:
            while not done.is_set():
                call_command("rotate_vault", stdout=io.StringIO())
        except Exception as error:
            troubles.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=rotates)
    worker.start()
    for number in range(1, 40):
        # Staff type both again, at once.
        edited = Provider(pk=main.pk)
        edited.set_secret("api_key", str(number))
        edited.set_secret("webhook_key", "hook")
        Provider.objects.filter(pk=main.pk).update(sealed=edited.sealed)
        assert Provider.objects.get().values == {"api_key": str(number), "webhook_key": "hook"}
    done.set()
    worker.join()

    assert not troubles
    call_command("rotate_vault")
    settings.VAULT_KEYS = [NEW]
    assert Provider.objects.get().values == {"api_key": "39", "webhook_key": "hook"}


def test_a_row_that_is_deleted_during_a_rotation_is_nobody(db):
    assert key_rotation._reseal_row(uuid.uuid4()) == (0, "")
