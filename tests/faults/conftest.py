"""A whole site in its production shape: the web, a Celery worker, beat, PostgreSQL, Redis and a mail server.

PostgreSQL and Redis come from script/services: script/test --faults
Each fault is brought about a few times; script/test --faults --release does it as often as a release deserves.
"""

import functools
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from cryptography.fernet import Fernet

from api.tokens import new_key
from storefront import BASE_DIR
from tests.faults.parts import HOST, Line, PostOffice, Process, Shell, Shopper, free_port, wait_for
from tests.support.invariants import lost_messages, violated
from tests.support.provider_server import ProviderServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Mark everything in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(autouse=True)
def _only_before_a_release(request):
    if request.node.get_closest_marker("release") and not request.config.getoption("release"):
        pytest.skip("takes long: script/test --faults --release")


@pytest.fixture
def rounds(request):
    """How often a fault is brought about: `rounds(3, 15)` is 15 before a release, else 3."""
    return lambda few, all_of_them: all_of_them if request.config.getoption("release") else few


@pytest.fixture(scope="session")
def servers():
    """The addresses of PostgreSQL and Redis."""
    database, broker = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    if not database.startswith("postgres") or not broker:
        pytest.skip("needs PostgreSQL and Redis: script/test --faults")
    return database, broker


@pytest.fixture(scope="session")
def database_url(servers):
    """An empty database, for these tests alone."""
    name = f"faults_{os.getpid()}"
    with psycopg.connect(servers[0], autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(servers[0])._replace(path=f"/{name}"))
    # Anew: the server may have died meanwhile.
    with psycopg.connect(servers[0], autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def line(servers):
    """The line from the site to Redis."""
    address = urlsplit(servers[1])
    line = Line(address.hostname, address.port or 6379)
    yield line
    line.refuse()


@pytest.fixture(scope="session")
def post_office():
    """Where all mail goes."""
    office = PostOffice()
    yield office
    office.close()


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A copy of the code to run from: what a site writes beside it, such as its static files, stays there."""
    home = tmp_path_factory.mktemp("site") / "home"
    no_code = shutil.ignore_patterns(".*", "var", "staticfiles", "tests", "docs", "__pycache__")
    return shutil.copytree(BASE_DIR, home, ignore=no_code)


@pytest.fixture(scope="session")
def environment(home, database_url, servers, line, post_office):
    """What an operator would set, with long codes (no chance hits) and talkative logs."""
    path = urlsplit(servers[1]).path
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(home),
        "PYTHONWARNINGS": "ignore",
        "ENV_FILE": "",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CODE_KEYS": secrets.token_hex(32),
        "FINGERPRINT_KEYS": secrets.token_hex(32),
        "TOKEN_KEYS": new_key(),
        "SITE_URL": f"https://{HOST}",
        "ALLOWED_HOSTS": HOST,
        "TRUSTED_PROXY_COUNT": "1",
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://127.0.0.1:{line.port}{path}",
        "EMAIL_URL": post_office.url,
        "CODE_LENGTH": "8",
        "VAULT_KEYS": Fernet.generate_key().decode(),
        "PROVIDER_NETWORKS": "127.0.0.0/8",
        "SMS_TOTAL": "100000/h",
        "SMS_PER_COUNTRY": "100000/h",
        "SMS_PER_PREFIX": "100000/h",
        "SMS_BEFORE_JUDGING": "100000",
        "LOG_LEVEL": "DEBUG",
    }
    for command in (["migrate"], ["collectstatic", "--no-input"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "--verbosity", "0"],
            cwd=home,
            env=environment,
            check=True,
        )
    return environment


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    """Where every process logs."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def start(environment, home, logs):
    """Starts a part of the site; all end with the tests."""
    started = []

    def start(name, *command, env=None):
        env = {**environment, **(env or {})}
        started.append(Process(name, *command, env=env, home=home, logs=logs))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture(scope="session")
def site(start):
    """The web, with two processes; returns its address."""
    port = free_port()
    own = {"PORT": str(port), "WEB_CONCURRENCY": "2", "WEB_THREADS": "8"}
    web = start("web", "python", "-m", "storefront.serve", env=own)
    address = f"http://127.0.0.1:{port}"
    wait_for(lambda: not web.is_alive or _answers(address))
    assert web.is_alive, web.said
    return address


def _answers(address):
    try:
        return Shopper(address).get("/livez").status_code == 200
    except OSError:
        return False


@pytest.fixture
def start_worker(start):
    """Starts a worker and waits until it listens; none outlives the test, however that ends."""
    started = []

    def start_worker(processes=2, level="debug"):
        worker = start(
            "worker", "celery", "-A", "storefront", "worker", "--loglevel", level,
            "--concurrency", str(processes), "--without-gossip", "--without-mingle",
        )  # fmt: skip
        started.append(worker)
        worker.wait_until_it_says(" ready.")
        return worker

    yield start_worker
    for worker in started:
        worker.kill()


@pytest.fixture(scope="session")
def beat(start, tmp_path_factory):
    """The clock that wakes the sweeper."""
    schedule = tmp_path_factory.mktemp("beat") / "schedule"
    return start(
        "beat", "celery", "-A", "storefront", "beat",
        "--loglevel", "debug", "--schedule", str(schedule), "--pidfile=",
    )  # fmt: skip


@pytest.fixture
def worker(start_worker):
    """One worker, for one test."""
    return start_worker()


@pytest.fixture(scope="session")
def ask(environment, home):
    """Runs Python inside the site, as `manage.py shell` does."""
    shell = Shell(environment, home)
    yield shell.run
    shell.close()


@pytest.fixture
def queue_codes(ask):
    """Puts codes for `number` strangers into the outbox, as registration does, and wakes nobody."""

    def queue_codes(number, pattern="stranger{}@example.com"):
        ask(QUEUE_CODES, number=number, pattern=pattern)

    return queue_codes


QUEUE_CODES = """
from unittest.mock import patch
from accounts.flows import challenge
from accounts.identifiers import parse
from accounts.models import Purpose
from accounts.sessions.client import ClientInfo
with patch("messaging.outbox.api.nudge"):
    for n in range(number):
        challenge.issue(Purpose.REGISTER, parse(pattern.format(n)), client=ClientInfo(ip="10.9.9.9"))
"""


@pytest.fixture
def provider():
    """Makes servers that speak Twilio's API."""
    servers = []

    def provider():
        servers.append(ProviderServer())
        return servers[-1]

    yield provider
    for server in servers:
        server.close()


@pytest.fixture
def use(ask):
    """Puts a server into use, as staff would, under a name and a rank."""

    def use(server, name, rank=1):
        ask(USE, name=name, rank=rank, values=server.values("twilio"))

    return use


USE = """
from messaging.models import Provider
from messaging.providers import BACKENDS
row = Provider(name=name, kind="twilio", channel="sms", rank=rank, readiness="tested")
for field in BACKENDS["twilio"].fields:
    if field.secret:
        row.set_secret(field.name, values[field.name])
    else:
        row.options[field.name] = values.get(field.name) or field.default
row.save()
"""


@pytest.fixture
def new_shopper(site):
    """Makes a browser that has been nowhere."""
    return lambda: Shopper(site)


@pytest.fixture
def sql(database_url):
    """Asks the database of the site."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda *statement: connection.execute(*statement)


@pytest.fixture
def broker(servers):
    """Redis itself, past the line."""
    with redis.Redis.from_url(servers[1]) as client:
        yield client


@pytest.fixture(autouse=True)
def _clean(request, servers, line, sql, broker, post_office):
    """Begin with an open line, an empty queue, and neither messages nor people."""
    line.open()
    broker.flushdb()
    sql("DELETE FROM messaging_outboxmessage")
    sql("DELETE FROM messaging_provider")
    sql("DELETE FROM messaging_breaker")
    # The trail lets nobody take an event away; this looks past its trigger.
    sql("SET session_replication_role = replica")
    sql(
        "TRUNCATE accounts_user, accounts_challenge, accounts_securityevent, accounts_session CASCADE"
    )
    sql("SET session_replication_role = DEFAULT")
    post_office.letters.clear()
    post_office.takes = 0.0


@pytest.fixture(autouse=True)
def _whole(request, _clean, database_url, post_office):
    """After each fault what must hold holds; a test with the mark `leaves_out` says what it breaks by hand."""
    yield
    mark = request.node.get_closest_marker("leaves_out")
    leave_out = mark.args if mark else ()
    # Anew: the server may have died meanwhile.
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = functools.partial(fetch, connection)
        assert not violated(rows, leave_out=leave_out)
        assert "I6" in leave_out or not lost_messages(rows, post_office.ids)


def fetch(connection, statement):
    """What a statement finds."""
    return connection.execute(statement).fetchall()
