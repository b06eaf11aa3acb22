"""Telling the owner what happened to the account, with a way to say "this was not me"."""

from collections.abc import Iterable
from datetime import timedelta

from accounts import conf
from accounts.errors import SmsStopped
from accounts.flows import challenge as challenges
from accounts.flows import sms_budget
from accounts.identifiers import EMAIL, Identifier
from accounts.models import Challenge, Pool, Purpose, User
from accounts.sessions.client import ClientInfo
from messaging.outbox import api as outbox


def notify(
    user: User,
    what: str,
    *,
    client: ClientInfo,
    to: Iterable[Identifier],
    without_link: Iterable[Identifier] = (),
) -> None:
    """Queue the notice `what` for each of `to`, in the caller's transaction and no mailbox twice.

    Each carries a link of its own, which ends all sessions and starts recovery for whoever reads that mailbox
    within NOT_ME_TTL; not to those `without_link`, who are no owner any more, nor to staff: a mailbox must not open the
    staff pages (ADM-04). One that may not be texted goes by email; the activity page has all (ABU-07).
    """
    to, linkless = list(to), list(without_link)
    for contact in _reachable(user, to, linkless):
        life = timedelta() if user.is_staff or contact in linkless else conf.NOT_ME_TTL
        link = Challenge.objects.create_link(
            Purpose.NOT_ME, contact, user, life=life, device=client.device, space=client.space
        )
        outbox.queue(
            "notice",
            about_id=link.pk,
            part=what,
            channel=challenges.message_channel(contact.kind),
            address=contact.address,
            lifetime=conf.NOT_ME_TTL,
        )


def primary_contacts(user: User) -> list[Identifier]:
    """The one contact that messages go to, if there is any."""
    return user.contacts[:1]


def email_contacts(user: User) -> list[Identifier]:
    """The email address, if there is one: what goes there costs nothing."""
    return [contact for contact in user.contacts if contact.kind == EMAIL]


def _reachable(user: User, to: list[Identifier], linkless: list[Identifier]) -> list[Identifier]:
    """Those of `to` that may be reachable, and in place of a text that may not leave the email address."""
    reachable = [contact for contact in to if contact.kind == EMAIL or may_text(contact)]
    # A notice without a link is for somebody who is no owner any more: nobody else reads it for them.
    missed = not user.is_staff and any(each not in [*reachable, *linkless] for each in to)
    return list(dict.fromkeys([*reachable, *(email_contacts(user) if missed else [])]))


def may_text(contact: Identifier) -> bool:
    """Whether a text to an owner, or to somebody who works here, may leave to `contact`; counts it then (ABU-07)."""
    if not outbox.can_send(outbox.SMS):
        return False
    try:
        sms_budget.spend(contact, Pool.OWNER)
    except SmsStopped:
        return False
    return True
