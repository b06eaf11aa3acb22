"""The development mailbox: what was sent, as people would see it. In production it does not exist."""

import base64
import hashlib
import re

import pytest
from django.urls import reverse

from tests.support.pages import Page, words
from tests.support.people import Shopper

MAILBOX = "/mailbox/"
ANA, BEA, PHONE = "ana@example.com", "bea@example.com", "+12025550123"


@pytest.fixture
def mailbox(postbox):
    """Three messages: to Ana, to a phone, to Bea."""
    for who in (ANA, PHONE, BEA):
        Shopper().identify(who)
        len(postbox)
    return postbox


def preview(message):
    """The address of the HTML part."""
    return reverse("mailbox-html", args=[message["id"]])


def test_the_newest_message_is_on_top(mailbox, client):
    page = Page(client.get(MAILBOX))

    at = [page.html.index(f'<bdi dir="ltr">{who}</bdi>') for who in (BEA, PHONE, ANA)]
    assert at == sorted(at)
    assert len(page.all("article")) == 3


def test_a_message_is_shown_as_it_came(mailbox, client):
    page = client.get(MAILBOX, query_params={"to": ANA})

    said = words(page)
    assert f"{mailbox.code(ANA)} is your Storefront code" in said
    assert "Text part" in said
    assert "Auto-Submitted: auto-generated" in said
    frame = Page(page).all("iframe")[0]
    assert frame["src"] == preview(mailbox.messages(ANA)[0])
    assert frame["sandbox"] is None  # the strictest one: nothing is allowed


@pytest.mark.parametrize(
    ("to", "found"),
    [
        (ANA, [ANA]),
        ("ANA@example.com", [ANA]),
        (PHONE, [PHONE]),
        (" 12025550123", [PHONE]),
        ("nobody@example.com", []),
        ("", [BEA, PHONE, ANA]),
    ],
    ids=["email", "other case", "phone", "plus read as a space", "nobody", "everybody"],
)
def test_one_address_at_a_time(mailbox, client, to, found):
    answer = client.get(MAILBOX, query_params={"to": to}, headers={"Accept": "application/json"})

    assert [message["to"] for message in answer.json()["messages"]] == found


def test_an_unescaped_plus_finds_the_phone(mailbox, client):
    assert PHONE in client.get(f"{MAILBOX}?to={PHONE}").content.decode()


def test_a_program_reads_the_same(mailbox, client):
    answer = client.get(MAILBOX, headers={"Accept": "application/json"})

    message = answer.json()["messages"][0]
    assert set(message) == {"id", "channel", "to", "subject", "text", "html", "headers", "sent_at"}
    assert (message["channel"], message["to"]) == ("email", BEA)
    assert mailbox.code(BEA) in message["subject"]


def test_a_text_message_has_words_only(mailbox):
    message = mailbox.messages(PHONE)[0]

    assert (message["channel"], message["subject"], message["html"]) == ("sms", "", "")


def test_an_empty_mailbox_says_so(client, db):
    assert "No messages yet" in words(client.get(MAILBOX))


def test_the_preview_shows_its_own_styles_and_nothing_else(mailbox, client):  # WEB-06
    shown = client.get(preview(mailbox.messages(ANA)[0]))

    html = shown.content.decode()
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert shown.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; sandbox"
    )
    assert shown.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert not re.search(r"\sstyle=|<script|<img|\bon\w+=", html)


@pytest.mark.parametrize("name", ["x", "..", "%2e%2e%2f", "1-2", "\x00"])
def test_a_preview_of_nothing_is_not_found(client, db, name):
    assert client.get(f"{MAILBOX}{name}/html/").status_code == 404


def test_a_text_message_has_no_preview_worth_seeing(mailbox, client):
    shown = client.get(preview(mailbox.messages(PHONE)[0]))

    assert shown.content == b""
    assert "style-src 'none'" in shown.headers["Content-Security-Policy"]


def test_a_mailbox_that_is_off_does_not_exist(mailbox, anyone, settings):
    html = preview(mailbox.messages(ANA)[0])
    settings.MAILBOX = False

    for url in (MAILBOX, f"{MAILBOX}?to={ANA}", html):
        answer = anyone.get(url)
        assert answer.status_code == 404
        assert ANA not in words(answer)


def test_a_mailbox_of_another_browser_shows_words_as_words(client, db, settings):  # WEB-08
    Shopper(**{"user-agent": "<script>alert(1)</script> Chrome Linux"}).identify(ANA)

    assert b"<script>alert" not in client.get(f"{MAILBOX}?to=<script>alert(1)</script>").content


def test_a_mailbox_keeps_the_newest_only(postbox, client, monkeypatch):
    monkeypatch.setattr("messaging.providers.mailbox.MAX_FILES", 2)
    for who in (ANA, PHONE, BEA):
        Shopper().identify(who)
        len(postbox)

    assert [message["to"] for message in postbox.messages()] == [BEA, PHONE]
