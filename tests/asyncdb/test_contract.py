"""What asyncdb uses of psycopg and Django that neither promises: a new version that changes it fails here."""

import ast
import inspect
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.backends.postgresql import base
from django.utils.asyncio import async_unsafe
from psycopg import capabilities, waiting

from asyncdb import bridge
from asyncdb.postgresql.base import DatabaseWrapper
from asyncdb.postgresql.connection import Connection
from tests.support.lanes import in_one_lane

PSYCOPG = Path(psycopg.__file__).parent
SYNCHRONOUS = ["connection", "cursor", "client_cursor", "raw_cursor", "transaction"]
PRIVATE = ["_server_cursor", "_copy", "_pipeline"]


def calls_of_waiting(name):
    """The functions of a module of psycopg that wait by themselves."""
    tree = ast.parse((PSYCOPG / f"{name}.py").read_text())
    return {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "waiting"
    }


def test_psycopg_is_of_the_version_that_was_read():
    assert psycopg.__version__.startswith("3.3.")


def test_a_plain_connection_waits_in_three_methods_and_each_is_ours():
    assert calls_of_waiting("connection") == {"connect", "wait", "cancel_safe"}
    assert {"connect", "wait", "cancel", "cancel_safe"} <= vars(Connection).keys()


@pytest.mark.parametrize("name", [*SYNCHRONOUS[1:], *PRIVATE])
def test_whatever_else_is_plain_waits_by_its_connection(name):
    assert calls_of_waiting(name) == set()


def test_wait_takes_what_psycopg_gives_it():
    assert inspect.signature(Connection.wait).parameters.keys() == (
        inspect.signature(psycopg.Connection.wait).parameters.keys()
    )
    for function, first in (
        (waiting.wait_async, ["gen", "fileno"]),
        (waiting.wait_conn_async, ["gen"]),
    ):
        assert list(inspect.signature(function).parameters) == [*first, "interval", "timeout"]
        assert inspect.iscoroutinefunction(function)


def test_a_query_is_cancelled_without_a_thread():
    # Below libpq 17 psycopg would cancel in a thread, and this package not at all.
    assert capabilities.has_cancel_safe()
    assert inspect.isgeneratorfunction(psycopg.Connection._cancel_gen)
    assert not inspect.isgeneratorfunction(psycopg.Connection._should_cancel)


def test_the_lock_of_a_connection_is_entered_and_nothing_else():
    for name in [*SYNCHRONOUS, *PRIVATE]:
        tree = ast.parse((PSYCOPG / f"{name}.py").read_text())
        used = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and getattr(node.value, "attr", "") == "lock"
        ]
        assert not used, name


def state(wrapper):
    """What a new connection is like."""
    link = wrapper.connection
    return {
        "autocommit": link.autocommit,
        "cursors": link.cursor_factory,
        "rows": link.row_factory,
        "prepare": link.prepare_threshold,
        "isolation": link.isolation_level,
        "zone": link.info.parameter_status("TimeZone"),
        "encoding": link.info.encoding,
        "application": link.info.parameter_status("application_name"),
        "timestamps": type(link.adapters.get_loader(1184, psycopg.pq.Format.TEXT)),
        "database": link.info.dbname,
    }


def test_a_connection_that_a_lane_opens_is_as_one_that_is_opened_blocking():
    def opened():
        connection.ensure_connection()
        assert type(connection.connection) is Connection
        return state(connection)

    blocking = DatabaseWrapper(connection.settings_dict, "default")
    blocking.connect()
    try:
        assert in_one_lane(opened) == state(blocking)
    finally:
        blocking.close()


def test_whatever_django_guards_is_known_to_the_backend():
    guarded = {
        name
        for backend in base.DatabaseWrapper.__mro__
        for name, found in vars(backend).items()
        if inspect.isfunction(found)
        and found.__code__.co_filename == async_unsafe.__code__.co_filename
    }

    assert guarded | {"ensure_connection"} <= vars(DatabaseWrapper).keys()
    assert len(guarded) > 9


def test_outside_of_a_lane_there_is_nothing_to_await_in():
    with pytest.raises(RuntimeError, match="not in a lane"):
        bridge.await_in_lane(None)
