"""How providers fare, as one query for the whole list."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils.formats import time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging import providers
from messaging.credentials import vault
from messaging.models import (
    ACCEPTED,
    CHANNELS,
    UNDELIVERED,
    Breaker,
    OutboxMessage,
    Provider,
    Readiness,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def with_breaker(rows):
    """Add how often each provider failed in a row, and until when it is paused now, by the database's clock."""
    breaker = Breaker.objects.filter(provider_id=OuterRef("pk"), failures__gt=0)
    return rows.annotate(
        fails=Subquery(breaker.values("failures")),
        paused_until=Subquery(breaker.filter(open_until__gt=Now()).values("open_until")),
    )


def with_health(rows):
    """Add what happened lately to each row. It looks back a day at most: an outbox may hold many millions."""
    newest = _messages_since(DAY).filter(status__in=ACCEPTED).order_by("-settled_at")
    return with_breaker(rows).annotate(
        handed_at=Subquery(newest.values("settled_at")[:1]),
        settled=_count_last_hour(Count("pk")),
        lost=_count_last_hour(Count("pk", filter=Q(status__in=UNDELIVERED))),
    )


def _messages_since(span):
    return OutboxMessage.objects.filter(provider_id=OuterRef("pk"), settled_at__gt=Now() - span)


def _count_last_hour(count):
    counted = _messages_since(HOUR).order_by().values("provider_id").annotate(count=count)
    return Subquery(counted.values("count"))


def state(row, *, has_sent):
    """What a member of staff should know of a row first. Only what `has_sent` something is called working."""
    trouble = _problem(row)
    if trouble:
        return trouble
    if row.paused_until:
        until = time_format(localtime(row.paused_until), "H:i")
        return _("paused until %(time)s") % {"time": until}
    if row.fails:
        return _failed(row, has_sent)
    return _("working") if has_sent else row.get_readiness_display()


def _failed(row, has_sent):
    words = (
        ngettext(
            "working, failed the last time", "working, failed the last %(times)s times", row.fails
        )
        if has_sent
        else ngettext("failed the last time", "failed the last %(times)s times", row.fails)
    )
    return words % {"times": row.fails}


def _problem(row):
    if not row.is_active:
        return _("not in use")
    if row.kind not in providers.BACKENDS:
        return _("this kind is no longer known")
    try:
        row.values  # noqa: B018  opens them
    except vault.Locked:
        return _("credentials cannot be opened")
    return row.get_readiness_display() if row.readiness == Readiness.UNTESTED else ""


def trouble_of_channel(channel):
    """Why nothing leaves by this channel whatever staff have stopped, in a sentence; an empty text if it leaves."""
    if providers.can_send(channel, include_stopped=True):
        return ""
    told = (
        _(
            "No provider in use for this channel has been tested: %(channel)s. Messages wait until a test message "
            "has gone through one."
        )
        if providers.waits_for_test(channel)
        else _("No provider is in use for this channel: %(channel)s. Nothing can be sent.")
    )
    return told % {"channel": dict(CHANNELS)[channel]}


def notices():
    """What staff should know of the channels before they look at any row."""
    entered = set(Provider.objects.order_by().values_list("channel", flat=True).distinct())
    if entered and settings.MAILBOX:
        return [
            _(
                "The development mailbox takes the messages, whatever is entered here. With MAILBOX=0 they go "
                "through the providers."
            )
        ]
    return [told for channel in sorted(entered) if (told := trouble_of_channel(channel))]


def failures(row):
    """The share of the last hour's messages that came to nothing."""
    if not row.settled:
        return ""
    share = round(100 * row.lost / row.settled)
    return _("%(share)s %% of %(all)s") % {"share": share, "all": row.settled}
