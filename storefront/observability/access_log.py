"""gunicorn's own lines in our shape, and one for each request: never the query, never a whole address of a person."""

import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import environ as environment
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from accounts.sessions.client import client_info
from storefront.observability import logging as site_logging

# They come every few seconds.
PROBE_PATHS = {"/livez", "/readyz", "/metrics"}


class AccessLogger(Logger):
    """What gunicorn.conf.py names as its logger."""

    def setup(self, cfg: Any) -> None:
        """Let gunicorn make its handlers, and give them our formatter."""
        super().setup(cfg)
        line = site_logging.formatter(debug=environment.Env().bool("DEBUG", False))
        for handler in [*self.error_log.handlers, *self.access_log.handlers]:
            handler.setFormatter(line)
            handler.addFilter(site_logging.HideTokens())

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write one line about one answer; about that to a probe only while debugging."""
        path = environ.get("PATH_INFO", "")
        wanted = path not in PROBE_PATHS or self.error_log.isEnabledFor(logging.DEBUG)
        if self.access_log_enabled and wanted:
            fields = _fields(resp, environ, path, request_time)
            self.access_log.info("answered", extra={"fields": fields})


def _fields(resp: Any, environ: dict[str, Any], path: str, took: timedelta) -> dict[str, Any]:
    return {
        "request_id": next((value for name, value in resp.headers if name == "X-Request-ID"), ""),
        "method": environ.get("REQUEST_METHOD", ""),
        "path": path,
        "status": int(str(resp.status).split(None, 1)[0]),
        "bytes": getattr(resp, "sent", None),
        "ms": round(took.total_seconds() * 1000, 1),
        "ip": client_info(SimpleNamespace(META=environ)).ip,  # type: ignore[arg-type]
    }
