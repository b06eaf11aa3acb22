"""A site to drive: one that runs already, or one of our own with a database and a mailbox that nobody else has."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The same for a site that is started by hand: script/server --for-tests
LIMITS = dict(
    line.split("=", 1)
    for line in (Path(__file__).parent / "limits.env").read_text().splitlines()
    if not line.startswith("#")
)


@contextlib.contextmanager
def running(folder, **settings):
    """Serve the site from this checkout with everything it writes in `folder`; gives its address."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    environment = _environment(Path(folder), address, settings)
    with open(Path(folder) / "server.log", "w") as log:
        manage = [sys.executable, "manage.py"]
        subprocess.run(
            [*manage, "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=log,
            stderr=log,
        )
        server = subprocess.Popen(
            [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port, server, Path(log.name))
        yield address
    finally:
        server.terminate()
        server.wait(10)


def _environment(folder, address, settings):
    """Nothing of the developer's own: not the .env, not the database, not Redis, not the mail server."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "ENV_FILE": "",
        "DEBUG": "1",
        "SECRET_KEY": secrets.token_hex(32),
        "CODE_KEYS": secrets.token_hex(32),
        "FINGERPRINT_KEYS": secrets.token_hex(32),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "MAILBOX_DIR": str(folder / "mailbox"),
        "SITE_URL": address,
        **LIMITS,
        **settings,
    }


def _free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def _wait_for(port, server, log):
    until = time.monotonic() + 30
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"The site did not start:\n{log.read_text()}")
