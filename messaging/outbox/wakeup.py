"""Wakes a worker without ever holding a request: publishing happens in a thread of its own.

A broker that refuses takes half a second to say so, one that hangs takes minutes. The request waits for
neither: it puts the message's id into a short queue. The sweeper finds what does not fit or does not arrive.
"""

import logging
import queue
import threading

from django.conf import settings
from structlog.contextvars import get_contextvars

from messaging.tasks import deliver

logger = logging.getLogger(__name__)

MAX_QUEUED = 1000

_queued: "queue.Queue[tuple[str, dict[str, str]]]" = queue.Queue(MAX_QUEUED)
_starting = threading.Lock()
_publisher: threading.Thread | None = None


def nudge(message_id: str) -> None:
    """Ask a worker to deliver a message soon; without a broker, deliver it here and now."""
    if settings.CELERY_TASK_ALWAYS_EAGER:
        deliver.delay(message_id)
        return
    _ensure_publisher()
    try:
        _queued.put_nowait((message_id, _headers()))
    except queue.Full:
        logger.warning("outbox %s: no nudge, the broker is too slow", message_id)


def _headers() -> dict[str, str]:
    """The id of the request, read in its own thread: the worker's log lines name it, too."""
    request_id = get_contextvars().get("request_id")
    return {"request_id": request_id} if request_id else {}


def _ensure_publisher() -> None:
    """Start the thread on first use: after a fork, so that every web process has its own."""
    global _publisher  # noqa: PLW0603  one per process
    with _starting:
        if _publisher is None or not _publisher.is_alive():
            _publisher = threading.Thread(target=_publish, name="outbox-nudge", daemon=True)
            _publisher.start()


def _publish() -> None:
    while True:
        message_id, headers = _queued.get()
        try:
            deliver.apply_async((message_id,), headers=headers, retry=False)
        except Exception as error:  # noqa: BLE001  whatever a broker does, the thread lives on
            logger.warning("outbox %s: no nudge: %s", message_id, type(error).__name__)
