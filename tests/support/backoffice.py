"""The staff pages: where they are, everything that links lead to, and what none of them may tell."""

from accounts.models import Challenge, Session, User
from tests.support.pages import Page
from tests.support.people import PASSWORD
from tests.support.staff import ADMIN, SECRET

WHO, PHONE = "ana.maria@example.com", "+12025550123"


def crawl(browser, *, narrowed=True):
    """Every page of the admin that links lead to, from its front page; `narrowed`: through filters, too."""
    seen, waiting = {}, [ADMIN]
    while waiting:
        url = waiting.pop().partition("#")[0].partition("?_changelist_filters")[0]
        if url in seen or "/logout/" in url or "/password_change/" in url:
            continue
        seen[url] = browser.client.get(url)
        if seen[url].status_code == 200 and seen[url].headers["Content-Type"].startswith(
            "text/html"
        ):
            links = [link.get("href", "") for link in Page(seen[url]).all("a")]
            waiting += [link for link in links if link.startswith("/admin/")]
            # One filter or order at a time: all of them together have no end.
            filters = [url + link for link in links if link.startswith("?") and "?" not in url]
            waiting += filters if narrowed else []
    return seen


def secrets(postbox):
    """What nobody must read there: addresses, codes, links, seeds, hashes, names of sessions."""
    yield from (WHO, PHONE, "stranger@example.com", "stranger secret", PASSWORD, SECRET)
    for user in User.objects.all():
        yield user.password
    for challenge in Challenge.objects.all():
        yield from (
            challenge.code,
            challenge.link_token,
            bytes(challenge.seed).hex(),
            challenge.key_id,
        )
    yield from Session.objects.values_list("pk", flat=True)
    for message in postbox.messages():
        yield message["text"]


USERS, CHALLENGES = "/admin/accounts/user/", "/admin/accounts/challenge/"

EVENTS, OUTBOX = "/admin/accounts/securityevent/", "/admin/messaging/outboxmessage/"

LOOKUP = "/admin/lookup/"
