"""What machines ask: is this process alive, should it get visitors, how do messages fare.

Answered by a middleware before the one for https: a load balancer calls http://10.0.0.7/livez, so there is neither
https nor a host of ours.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.models import Min
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.models import Job
from jobs.registry import JOBS
from messaging.models import OutboxMessage
from storefront.observability import metrics

DATABASE_SECONDS, BROKER_SECONDS = 1.0, 0.3
FRESH_SECONDS = 2.0
UNAVAILABLE = 503


class BackgroundCheck:
    """A check that may hang: run in a thread of its own, once at a time, and at most every two seconds."""

    def __init__(self, check: Callable[[], Any], seconds: float) -> None:
        self.check, self.seconds = check, seconds
        self.started_at = float("-inf")
        self.lock = threading.Lock()
        self.future: Future[Any] = Future()
        self.future.set_result(None)

    def start(self) -> "BackgroundCheck":
        """Run the check, unless its last result is fresh or still awaited."""
        with self.lock:
            if self.future.done() and time.monotonic() - self.started_at > FRESH_SECONDS:
                self.future, self.started_at = Future(), time.monotonic()
                threading.Thread(target=self._run, args=(self.future,), daemon=True).start()
        return self

    def result(self) -> Any:
        """Wait for the result. Raises TimeoutError `seconds` after the check began, and whatever the check raises."""
        remaining = self.started_at + self.seconds - time.monotonic()
        return self.future.result(max(0.0, remaining))

    def _run(self, future: Future[Any]) -> None:
        try:
            future.set_result(self.check())
        except Exception as error:  # noqa: BLE001  whatever it is, the probe wants to know
            future.set_exception(error)
        finally:
            connection.close()


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; looks at nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether this process should get visitors: 503 without a database to write to, and only then.

    Whoever brings METRICS_TOKEN reads more. The site works without a broker, and no other process would have one: its
    absence is reported, and is no reason for a 503; nor are periodic jobs that are late.
    """
    database.start(), broker.start()
    facts = _database() | _broker()
    body = facts if _has_metrics_token(request) else {"ok": facts["ok"]}
    return JsonResponse(body, status=200 if facts["ok"] else UNAVAILABLE)


@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """The metrics for Prometheus, for whoever brings METRICS_TOKEN; for others there is no such page."""
    if not _has_metrics_token(request):
        return HttpResponseNotFound("not found\n", content_type="text/plain")
    try:
        return HttpResponse(metrics.text(), content_type=metrics.CONTENT_TYPE)
    except Error:
        return HttpResponse("no database\n", status=UNAVAILABLE, content_type="text/plain")


PROBES = {"/livez": livez, "/readyz": readyz, "/metrics": prometheus}


def answer_probes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer the paths in PROBES before any middleware that looks at the host, at https or at a session."""
    return lambda request: PROBES.get(request.path_info, get_response)(request)


def _has_metrics_token(request: HttpRequest) -> bool:
    """Whether a machine of ours asks: it sends METRICS_TOKEN."""
    sent = request.headers.get("Authorization", "")
    token = settings.METRICS_TOKEN
    return bool(token) and constant_time_compare(sent, f"Bearer {token}")


def _queue_age() -> float:
    """Seconds that the oldest due message is late; fails without a database, and without its tables."""
    late = OutboxMessage.objects.due().aggregate(late=Now() - Min("due_at"))["late"]
    return round(max(0.0, late.total_seconds()), 3) if late else 0


def _look_at_database() -> dict[str, Any]:
    """Look without writing: a standby, or a database that was made read-only, says so itself."""
    state = "read-only" if _is_read_only() else "ok"
    return {"database": state, "queue_age": _queue_age(), **_jobs()}


def _jobs() -> dict[str, Any]:
    """The periodic jobs that are late, with seconds, and those that failed or were killed.

    Reckoned here: where beat and all workers are away, nobody else could (TIM-04).
    """
    jobs = Job.objects.in_trouble().filter(name__in=JOBS).order_by("name")
    late = {job.name: round(job.late_by.total_seconds()) for job in jobs if job.late_by}
    failed = [job.name for job in jobs if job.has_failed]
    facts = {"late_jobs": late, "failed_jobs": failed}
    return facts | ({"degraded": True} if late else {})


def _is_read_only() -> bool:
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone()[0] == "on")


def _ping() -> str:
    if not settings.CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
        return "none" if settings.CELERY_TASK_ALWAYS_EAGER else "unknown"
    # One try: the library would make several, with pauses.
    with redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_connect_timeout=BROKER_SECONDS,
        socket_timeout=BROKER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        client.ping()
    return "ok"


database = BackgroundCheck(_look_at_database, DATABASE_SECONDS)
broker = BackgroundCheck(_ping, BROKER_SECONDS)


def _database() -> dict[str, Any]:
    try:
        facts = database.result()
    except (Error, TimeoutError):
        facts = {"database": "down", "queue_age": None}
    return {"ok": facts["database"] == "ok", **facts}


def _broker() -> dict[str, Any]:
    try:
        return {"broker": broker.result()}
    except (redis.RedisError, TimeoutError, OSError):
        return {"broker": "down", "degraded": True}
