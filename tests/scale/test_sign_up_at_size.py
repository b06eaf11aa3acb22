"""A shopper signs up in a shop of a million: it costs what it costs in an empty one."""

import statistics
import time

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.scale import plans
from tests.support.people import Shopper, sign_up

SIGN_UPS, WARM_UP = 100, 10
WITHIN = 1.10
pytestmark = [pytest.mark.scale, pytest.mark.usefixtures("_work_is_for_the_worker")]


@pytest.fixture
def go_to(db):
    """Step into the full shop, or into an empty one beside it: a schema with the same tables."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA empty")
        cursor.execute("SET search_path = empty")
    call_command("migrate", verbosity=0)

    def go(schema):
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {schema}")

    yield go
    go("public")


def test_a_sign_up_costs_no_more_than_in_an_empty_shop(go_to, figures):
    spent = {schema: [] for schema in ("empty", "public")}
    go_to("public")
    is_timed = plans.is_timed()
    for number in range(WARM_UP + SIGN_UPS if is_timed else WARM_UP + 1):
        # By turns: the machine is now faster, now slower, for both.
        for schema in sorted(spent, reverse=number % 2):
            go_to(schema)
            spent[schema].append(_cost(number))
    counted = {schema: _statements(go_to, schema) for schema in spent}

    assert counted["public"] == counted["empty"]
    cpu, wall = (
        {
            schema: statistics.median(one[part] for one in costs[WARM_UP:])
            for schema, costs in spent.items()
        }
        for part in (0, 1)
    )
    for schema in spent:
        figures.append(
            f"a sign-up, {schema:32} {counted[schema]:7}  CPU {cpu[schema]:.1f} ms, in all {wall[schema]:.1f} ms"
        )
    assert not is_timed or cpu["public"] <= cpu["empty"] * WITHIN
    assert not is_timed or wall["public"] <= wall["empty"] * WITHIN


def _cost(number):
    """What one sign-up takes, in milliseconds: CPU of this process, and time on the wall, both with the hash."""
    cpu = wall = 0.0
    steps = sign_up(
        Shopper(ip=f"10.0.{number // 250}.{number % 250 + 1}"), f"new{number}@example.com"
    )
    for request in steps:
        before = time.process_time(), time.perf_counter()
        assert request().status_code in (200, 303)
        cpu += time.process_time() - before[0]
        wall += time.perf_counter() - before[1]
    return cpu * 1000, wall * 1000


def _statements(go_to, schema):
    go_to(schema)
    counted = 0
    for request in sign_up(Shopper(ip="10.9.9.9"), "last@example.com"):
        with CaptureQueriesContext(connection) as queries:
            request()
        counted += len(queries)
    return counted
