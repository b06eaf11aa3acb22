"""A circuit breaker for each provider: who fails again and again is left alone for a while (OUT-05).

Its state is a row, so that all workers know at once what one has found out.
"""

from datetime import datetime, timedelta

from django.db.models import Case, F, Q, When
from django.db.models.functions import Greatest, Now
from django.utils.timezone import now

from messaging.models import Breaker

FAILURES = 3
WITHIN = timedelta(seconds=15)
PAUSE = timedelta(seconds=15)


Failing = dict[str, datetime | None]


def failing() -> Failing:
    """The providers that have failed of late, and until when each is left alone, if it is."""
    return dict(Breaker.objects.filter(failures__gt=0).values_list("provider", "open_until"))


def admits(provider: str, failing: Failing) -> bool:
    """Whether `provider` may be tried now: when its pause is over, by one worker at a time."""
    until = failing.get(provider)
    if until is None:
        return True
    if until > now():
        return False
    probe = Breaker.objects.filter(provider=provider, open_until__lte=Now())
    return probe.update(open_until=Now() + PAUSE) == 1


def failed(provider: str, *, wait: timedelta | None = None) -> None:
    """Count a failure. The third within fifteen seconds pauses the provider, for as long as it asked for."""
    Breaker.objects.get_or_create(provider=provider)
    still = Q(failing_since__gt=Now() - WITHIN) | Q(open_until__isnull=False)
    breaker = Breaker.objects.filter(provider=provider)
    breaker.update(
        failures=Case(When(still, then=F("failures") + 1), default=1),
        failing_since=Case(When(still, then=F("failing_since")), default=Now()),
        open_until=Case(
            When(still & Q(failures__gte=FAILURES - 1), then=Now() + max(PAUSE, wait or PAUSE)),
            default=F("open_until"),
        ),
    )


def stay_paused(provider: str) -> None:
    """Leave a paused provider alone for another while."""
    still = Greatest(F("open_until"), Now() + PAUSE)
    Breaker.objects.filter(provider=provider, open_until__isnull=False).update(open_until=still)


def worked(provider: str) -> None:
    """Forget the failures: it is well again."""
    Breaker.objects.filter(provider=provider).update(failures=0, open_until=None)
