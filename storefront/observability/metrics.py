"""Metrics for Prometheus, read from the database: the same whichever process of whichever machine is asked.

Every statement looks at one hour at most, along an index. There is no metric about a person.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from statistics import quantiles
from uuid import UUID

from django.db.models import Count, F, Min, Q
from django.db.models.functions import Now
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accounts.models import Challenge, Purpose, SecurityEvent
from jobs.models import Job
from jobs.registry import JOBS
from messaging import providers
from messaging.models import ACCEPTED, PENDING, Breaker, OutboxMessage

CONTENT_TYPE = CONTENT_TYPE_LATEST
HOUR, TEN_MINUTES = timedelta(hours=1), timedelta(minutes=10)
# Times are read from this many messages at most, the newest.
SAMPLE = 2000


class DatabaseCollector(Collector):
    """Reads everything anew each time it is asked."""

    def collect(self) -> Iterator[Metric]:
        names = providers.names()
        yield _signups()
        yield _sends(names)
        yield _handover()
        yield from _queue()
        yield _breakers(names)
        yield from _jobs()


def text() -> bytes:
    """All metrics in Prometheus's format. Raises Error of django.db."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DatabaseCollector())
    return generate_latest(registry)


def _signups() -> Metric:
    """The sign-ups begun in the last hour, and those of them that were verified; then the completed ones."""
    found = _gauge("signups", "Sign-ups of the last hour by step", "step", "channel")
    begun = Challenge.objects.filter(created_at__gt=Now() - HOUR, purpose=Purpose.REGISTER)
    for kind, identified, verified in (
        begun.values("kind")
        .annotate(begun=Count("pk"), verified=Count("verified_at"))
        .values_list("kind", "begun", "verified")
        .order_by("kind")
    ):
        found.add_metric(["identified", kind], identified)
        found.add_metric(["verified", kind], verified)
    completed = SecurityEvent.objects.filter(at__gt=Now() - HOUR, kind="profile_completed")
    for kind, number in completed.values_list("user__primary").annotate(number=Count("pk")):
        found.add_metric(["completed", kind or ""], number)
    return found


def _sends(names: dict[UUID, str]) -> Metric:
    """The messages queued in the last hour, by who took them and what became of them."""
    found = _gauge("sends", "Messages of the last hour", "channel", "provider", "status")
    sent = OutboxMessage.objects.filter(created_at__gt=Now() - HOUR)
    groups = sent.values_list("channel", "provider_id", "status").annotate(number=Count("pk"))
    numbers: Counter[tuple[str, str, str]] = Counter()
    for channel, provider_id, status, number in groups:
        # Of a row that bears the name of another provider, or was deleted, the metric is of all that are called so.
        numbers[channel, _name(provider_id, names), status] += number
    for labels, number in numbers.items():
        found.add_metric(labels, number)
    return found


def _name(provider_id: UUID | None, names: dict[UUID, str]) -> str:
    return names.get(provider_id, "deleted") if provider_id else ""


def _handover() -> Metric:
    """Half, and nineteen of twenty, of the newest messages were with a provider after so many seconds."""
    found = _gauge("handover_seconds", "From queued to handed over", "channel", "quantile")
    took = defaultdict(list)
    handed = OutboxMessage.objects.filter(settled_at__gt=Now() - TEN_MINUTES, status__in=ACCEPTED)
    times = handed.order_by("-settled_at").values_list("channel", F("settled_at") - F("created_at"))
    for channel, span in times[:SAMPLE]:
        took[channel].append(span.total_seconds())
    for channel, spans in took.items():
        cuts = quantiles(spans, n=20, method="inclusive") if len(spans) > 1 else spans * 19
        found.add_metric([channel, "0.5"], cuts[9])
        found.add_metric([channel, "0.95"], cuts[18])
    return found


def _queue() -> Iterator[Metric]:
    waiting = OutboxMessage.objects.filter(status__in=PENDING)
    facts = waiting.aggregate(number=Count("pk"), age=Now() - Min("created_at"))
    age = facts["age"].total_seconds() if facts["age"] else 0
    queued = _gauge("queued_messages", "Messages that are not handed over yet")
    queued.add_metric([], facts["number"])
    oldest = _gauge("oldest_queued_seconds", "Age of the oldest of them")
    oldest.add_metric([], max(0, age))
    yield from (queued, oldest)


def _breakers(names: dict[UUID, str]) -> Metric:
    """Every provider that ever failed: 1 while it is in use and left alone."""
    found = _gauge("breaker_open", "Whether a provider is left alone", "provider")
    paused = Count("pk", filter=Q(open_until__gt=Now()))
    failed = dict(Breaker.objects.values_list("provider_id").annotate(paused=paused))
    in_use = providers.in_use() if any(failed.values()) else {}
    numbers: Counter[str] = Counter()
    for provider_id, number in failed.items():
        numbers[_name(provider_id, names)] |= number if provider_id in in_use else 0
    for name, number in numbers.items():
        found.add_metric([name], number)
    return found


def _jobs() -> Iterator[Metric]:
    """How late each periodic job is, and how many of its newest runs failed or were killed (TIM-04)."""
    late = _gauge("job_late_seconds", "How late the next run is, from a minute on", "job")
    failures = _gauge(
        "job_failures", "Runs that failed or were killed since the last success", "job"
    )
    for job in Job.objects.filter(name__in=JOBS).with_read_at().order_by("name"):
        late.add_metric([job.name], job.late_by.total_seconds())
        failures.add_metric([job.name], job.failures + job.was_killed)
    yield from (late, failures)


def _gauge(name: str, description: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"storefront_{name}", description, labels=labels)
