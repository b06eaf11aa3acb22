"""What staff must hear of soon: one row for each thing that is wrong, and one log line for each hour that it is."""

import logging
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from messaging.models import Alert

logger = logging.getLogger(__name__)

QUIET = timedelta(hours=1)


def sound(kind: str, about: str = "") -> None:
    """Note that `kind` is wrong with `about`, which names no person. Heard at ERROR once an hour, counted always."""
    alert, is_new = Alert.objects.get_or_create(kind=kind, about=about)
    again = Alert.objects.filter(pk=alert.pk)
    is_due = is_new or again.filter(heard_at__lte=Now() - QUIET).update(heard_at=Now()) == 1
    again.update(times=F("times") + 1, last_at=Now())
    if is_due:
        logger.error("alert: %s %s", kind, about)
