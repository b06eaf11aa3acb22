"""A circuit breaker for each provider: who fails again and again is left alone for a while (OUT-05).

Its state is a row, so that all workers know at once what one has found out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Case, F, Q, When
from django.db.models.functions import Greatest, Now
from django.utils.timezone import now

from messaging import providers
from messaging.models import EMAIL, SMS, Breaker

FAILURES = 3
WITHIN = timedelta(seconds=15)
PAUSE = timedelta(seconds=15)


Failing = dict[UUID, datetime | None]


def failing() -> Failing:
    """The providers that have failed of late, and until when each is left alone, if it is."""
    return dict(Breaker.objects.filter(failures__gt=0).values_list("provider_id", "open_until"))


def paused(channels: Iterable[str] = (EMAIL, SMS)) -> dict[str, datetime]:
    """The providers in use that are left alone now, by what staff call them, and until when.

    Who was taken out of use, or has not been asked since its pause ended, is nobody's trouble.
    """
    open_now = Breaker.objects.filter(open_until__gt=Now())
    until = {row.pk: row.open_until for row in open_now if row.open_until}
    if not until:
        return {}
    in_use = providers.in_use(channels)
    return {name: until[pk] for pk, name in in_use.items() if pk in until}


def admits(provider_id: UUID, failing: Failing) -> bool:
    """Whether this provider may be tried now: when its pause is over, by one worker at a time."""
    until = failing.get(provider_id)
    if until is None:
        return True
    if until > now():
        return False
    probe = Breaker.objects.filter(provider_id=provider_id, open_until__lte=Now())
    return probe.update(open_until=Now() + PAUSE) == 1


def failed(provider_id: UUID, *, wait: timedelta | None = None) -> None:
    """Count a failure. The third within fifteen seconds pauses the provider, for as long as it asked for."""
    Breaker.objects.get_or_create(provider_id=provider_id)
    still = Q(failing_since__gt=Now() - WITHIN) | Q(open_until__isnull=False)
    breaker = Breaker.objects.filter(provider_id=provider_id)
    breaker.update(
        failures=Case(When(still, then=F("failures") + 1), default=1),
        failing_since=Case(When(still, then=F("failing_since")), default=Now()),
        open_until=Case(
            When(still & Q(failures__gte=FAILURES - 1), then=Now() + max(PAUSE, wait or PAUSE)),
            default=F("open_until"),
        ),
    )


def stay_paused(provider_id: UUID) -> None:
    """Leave a paused provider alone for another while."""
    still = Greatest(F("open_until"), Now() + PAUSE)
    Breaker.objects.filter(provider_id=provider_id, open_until__isnull=False).update(
        open_until=still
    )


def worked(provider_id: UUID) -> None:
    """Forget the failures: it is well again."""
    Breaker.objects.filter(provider_id=provider_id).update(failures=0, open_until=None)
