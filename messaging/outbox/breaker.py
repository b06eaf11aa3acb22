"""A circuit breaker for each provider: one that fails again and again is paused for a while (OUT-05).

The state is a row, so that all workers know at once what one has found out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import BooleanField, Case, ExpressionWrapper, F, Q, When
from django.db.models.functions import Greatest, Now

from messaging import providers
from messaging.models import EMAIL, SMS, Breaker

FAILURE_THRESHOLD = 3
FAILURE_WINDOW = timedelta(seconds=15)
PAUSE = timedelta(seconds=15)


class Pause(NamedTuple):
    """Whether a provider that failed was paused, and whether that was over when the row was read."""

    began: bool
    is_over: bool


Failing = dict[UUID, Pause]


def failing() -> Failing:
    """The ids of the providers that failed last time, with their pauses, by the database's clock (TIM-01)."""
    failed = Breaker.objects.filter(failures__gt=0).values_list(
        "provider_id", _is(open_until__isnull=False), _is(open_until__lte=Now())
    )
    return {provider_id: Pause(began, bool(is_over)) for provider_id, began, is_over in failed}


def paused(channels: Iterable[str] = (EMAIL, SMS)) -> dict[str, datetime]:
    """The names of the providers in use that are paused now, and until when.

    One that was taken out of use, or has not been asked since its pause ended, is not among them.
    """
    open_now = Breaker.objects.filter(open_until__gt=Now())
    until = {row.pk: row.open_until for row in open_now if row.open_until}
    if not until:
        return {}
    in_use = providers.in_use(channels)
    return {name: until[pk] for pk, name in in_use.items() if pk in until}


def allows(provider_id: UUID, failing: Failing) -> bool:
    """Whether this provider may be tried now: after a pause, by one worker at a time."""
    pause = failing.get(provider_id)
    if pause is None or not pause.began:
        return True
    if not pause.is_over:
        return False
    probe = Breaker.objects.filter(provider_id=provider_id, open_until__lte=Now())
    return probe.update(open_until=Now() + PAUSE) == 1


def record_failure(provider_id: UUID, *, retry_after: timedelta | None = None) -> None:
    """Count a failure. The third within fifteen seconds pauses the provider, for `retry_after` if that is longer."""
    Breaker.objects.get_or_create(provider_id=provider_id)
    still = Q(failing_since__gt=Now() - FAILURE_WINDOW) | Q(open_until__isnull=False)
    breaker = Breaker.objects.filter(provider_id=provider_id)
    breaker.update(
        failures=Case(When(still, then=F("failures") + 1), default=1),
        failing_since=Case(When(still, then=F("failing_since")), default=Now()),
        open_until=Case(
            When(
                still & Q(failures__gte=FAILURE_THRESHOLD - 1),
                then=Now() + max(PAUSE, retry_after or PAUSE),
            ),
            default=F("open_until"),
        ),
    )


def extend_pause(provider_id: UUID) -> None:
    """Pause a paused provider for another while."""
    paused = Breaker.objects.filter(provider_id=provider_id, open_until__isnull=False)
    paused.update(open_until=Greatest(F("open_until"), Now() + PAUSE))


def record_success(provider_id: UUID) -> None:
    """Forget the failures of a provider that works again."""
    Breaker.objects.filter(provider_id=provider_id).update(failures=0, open_until=None)


def _is(**condition: object) -> ExpressionWrapper:
    return ExpressionWrapper(Q(**condition), output_field=BooleanField())
