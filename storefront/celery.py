"""The Celery app: a hint that makes messages fast. What must happen is a row in the outbox."""

import logging
import os
from contextvars import Token
from logging.config import dictConfig
from typing import Any

from celery import Celery, signals
from django.conf import settings
from structlog.contextvars import bind_contextvars, reset_contextvars

from storefront.observability import logging as site_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

app = Celery("storefront")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# One task at a time in each process: what it bound, to be taken back after it.
_bound: dict[str, Token[Any]] = {}


@signals.celeryd_init.connect  # it warns before it sets its logging up
@signals.setup_logging.connect
def log_as_the_site_does(loglevel=None, **_kwargs):
    """Take the place of Celery's own logging: its lines are ours, at the level it was started with."""
    level = logging.getLevelName(loglevel) if loglevel else settings.LOGGING["root"]["level"]
    logging.captureWarnings(True)
    dictConfig(site_logging.config(debug=settings.DEBUG, level=level))


@signals.task_prerun.connect
def name_task(task_id, task, **_kwargs):
    """Log under the id of the request that asked for the task, else under the task's own."""
    # Read from a queue, where anything may stand (LOG-04). Inside a request its id is bound already.
    if not task.request.is_eager:
        asked = str(task.request.get("request_id") or "")
        bound = bind_contextvars(
            request_id=asked if site_logging.REQUEST_ID.fullmatch(asked) else task_id
        )
        _bound.update(bound)


@signals.task_postrun.connect
def forget_task(task, **_kwargs):
    """Log the next task under its own id."""
    if not task.request.is_eager:
        reset_contextvars(**_bound)
        _bound.clear()
