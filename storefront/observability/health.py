"""What machines ask: is this process alive, should it get visitors, how do messages fare.

Answered by the first middleware: a load balancer calls http://10.0.0.7/livez, so there is neither https nor a
host of ours.
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

from messaging.models import OutboxMessage
from storefront.observability import metrics

DATABASE_SECONDS, BROKER_SECONDS = 1.0, 0.3
KEPT_SECONDS = 2.0
UNAVAILABLE = 503


class Watch:
    """One question that may hang: asked in a thread of its own, by one at a time, and at most every two seconds."""

    def __init__(self, ask: Callable[[], Any], seconds: float) -> None:
        self.ask, self.seconds = ask, seconds
        self.asked_at = float("-inf")
        self.lock = threading.Lock()
        self.asked: Future[Any] = Future()
        self.asked.set_result(None)

    def begin(self) -> "Watch":
        """Ask, unless the last answer is fresh or still awaited."""
        with self.lock:
            if self.asked.done() and time.monotonic() - self.asked_at > KEPT_SECONDS:
                self.asked, self.asked_at = Future(), time.monotonic()
                threading.Thread(target=self._run, args=(self.asked,), daemon=True).start()
        return self

    def answer(self) -> Any:
        """Wait for the answer. Raises TimeoutError so many `seconds` after the question, and what `ask` raises."""
        left = self.asked_at + self.seconds - time.monotonic()
        return self.asked.result(max(0.0, left))

    def _run(self, asked: Future[Any]) -> None:
        try:
            asked.set_result(self.ask())
        except Exception as error:  # noqa: BLE001  whatever it is, the probe wants to know
            asked.set_exception(error)
        finally:
            connection.close()


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; looks at nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether this process should get visitors: 503 without its database, and only then.

    Whoever brings METRICS_TOKEN is told more. The site works without a broker, and no other process would have one:
    that is told, and is no reason.
    """
    database.begin(), broker.begin()
    facts = _database() | _broker()
    told = facts if _is_ours(request) else {"ok": facts["ok"]}
    return JsonResponse(told, status=200 if facts["ok"] else UNAVAILABLE)


@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """The figures for Prometheus, for whoever brings METRICS_TOKEN; for others there is no such page."""
    if not _is_ours(request):
        return HttpResponseNotFound("not found\n", content_type="text/plain")
    try:
        return HttpResponse(metrics.text(), content_type=metrics.CONTENT_TYPE)
    except Error:
        return HttpResponse("no database\n", status=UNAVAILABLE, content_type="text/plain")


PROBES = {"/livez": livez, "/readyz": readyz, "/metrics": figures}


def _is_ours(request: HttpRequest) -> bool:
    """Whether a machine of ours asks: it brings METRICS_TOKEN."""
    brought = request.headers.get("Authorization", "")
    token = settings.METRICS_TOKEN
    return bool(token) and constant_time_compare(brought, f"Bearer {token}")


def _queue_age() -> float:
    """Seconds that the oldest due message is late; fails without a database, and without its tables."""
    late = OutboxMessage.objects.due().aggregate(late=Now() - Min("due_at"))["late"]
    return round(max(0.0, late.total_seconds()), 3) if late else 0


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


database = Watch(_queue_age, DATABASE_SECONDS)
broker = Watch(_ping, BROKER_SECONDS)


def _database() -> dict[str, Any]:
    try:
        return {"ok": True, "database": "ok", "queue_age": database.answer()}
    except (Error, TimeoutError):
        return {"ok": False, "database": "down", "queue_age": None}


def _broker() -> dict[str, Any]:
    try:
        return {"broker": broker.answer()}
    except (redis.RedisError, TimeoutError, OSError):
        return {"broker": "down", "degraded": True}
