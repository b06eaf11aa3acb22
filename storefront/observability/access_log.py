"""One line for each answer: never the query, never a whole address of a person."""

import logging
from collections.abc import Iterable

from django.http import HttpRequest

from accounts.sessions.client import client_info
from storefront.observability.health import PROBES

logger = logging.getLogger("storefront.access")


def write(
    request: HttpRequest,
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    size: int,
    seconds: float,
) -> None:
    """Write the line of one answer; about that to a probe, which comes every few seconds, only while debugging."""
    if request.path_info in PROBES and not logging.root.isEnabledFor(logging.DEBUG):
        return
    fields = {
        "request_id": dict(headers).get(b"X-Request-ID", b"").decode(),
        "method": request.method,
        "path": request.path_info,
        "status": status,
        "bytes": size,
        "ms": round(seconds * 1000, 1),
        "ip": client_info(request).ip,
    }
    logger.info("answered", extra={"fields": fields})
