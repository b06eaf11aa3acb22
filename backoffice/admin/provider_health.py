"""How providers fare, as one query for the whole list."""

from datetime import timedelta

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils.formats import time_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging import providers
from messaging.credentials import vault
from messaging.models import ACCEPTED, UNDELIVERED, Breaker, OutboxMessage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def with_health(rows):
    """Add what happened lately to each row. It looks back a day at most: an outbox may hold many millions."""
    breaker = Breaker.objects.filter(provider_id=OuterRef("pk"), failures__gt=0)
    newest = _messages_since(DAY).filter(status__in=ACCEPTED).order_by("-settled_at")
    return rows.annotate(
        fails=Subquery(breaker.values("failures")),
        paused_until=Subquery(breaker.values("open_until")),
        handed_at=Subquery(newest.values("settled_at")[:1]),
        settled=_count_last_hour(Count("pk")),
        lost=_count_last_hour(Count("pk", filter=Q(status__in=UNDELIVERED))),
    )


def _messages_since(span):
    return OutboxMessage.objects.filter(provider_id=OuterRef("pk"), settled_at__gt=Now() - span)


def _count_last_hour(count):
    counted = _messages_since(HOUR).order_by().values("provider_id").annotate(count=count)
    return Subquery(counted.values("count"))


def state(row):
    """What a member of staff should know of a row first."""
    trouble = _problem(row)
    if trouble:
        return trouble
    if row.paused_until and row.paused_until > now():
        until = time_format(localtime(row.paused_until), "H:i")
        return _("paused until %(time)s") % {"time": until}
    if row.fails:
        words = ngettext(
            "working, failed the last time", "working, failed the last %(times)s times", row.fails
        )
        return words % {"times": row.fails}
    return _("working")


def _problem(row):
    if not row.is_active:
        return _("not in use")
    if row.kind not in providers.BACKENDS:
        return _("this kind is no longer known")
    try:
        row.values  # noqa: B018  opens them
    except vault.Locked:
        return _("credentials cannot be opened")
    return ""


def failures(row):
    """The share of the last hour's messages that came to nothing."""
    if not row.settled:
        return ""
    share = round(100 * row.lost / row.settled)
    return _("%(share)s %% of %(all)s") % {"share": share, "all": row.settled}
