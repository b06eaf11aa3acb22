"""Alerts to staff: one row for each thing that is wrong, and one log line for each hour that it is."""

import logging
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from messaging.models import Alert

logger = logging.getLogger(__name__)

LOG_EVERY = timedelta(hours=1)


def trigger(kind: str, about: str = "") -> None:
    """Record that `kind` is wrong with `about`, which names no person. Counted always, logged at ERROR once an hour."""
    alert, is_new = Alert.objects.get_or_create(kind=kind, about=about)
    row = Alert.objects.filter(pk=alert.pk)
    is_due = is_new or row.filter(logged_at__lte=Now() - LOG_EVERY).update(logged_at=Now()) == 1
    row.update(times=F("times") + 1, last_at=Now())
    if is_due:
        logger.error("alert: %s %s", kind, about)
