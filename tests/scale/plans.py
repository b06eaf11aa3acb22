"""What PostgreSQL does for a query: which tables it reads whole, and how many rows it looks at."""

import re

from django.db import connection

from accounts.models import User

BIG = 50_000
# A small year shows what is asked and how; only in a large one does it matter how long that takes.
TIMED_FROM = 100_000


def is_timed():
    """Whether there are enough people for times to mean something."""
    return User.objects.count() >= TIMED_FROM


def selects(queries):
    """The statements among those captured that read rows."""
    sql = [query["sql"] for query in queries]
    return [one for one in sql if re.match(r"\(?(SELECT|WITH)\b", one) and "pg_class" not in one]


def plan(sql):
    """How PostgreSQL carried out `sql`: its tree, flat."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.replace('%', '%%')}", [])
        return list(_nodes(cursor.fetchone()[0][0]["Plan"]))


def whole_tables(nodes):
    """Tables of more than BIG rows that were read from end to end."""
    names = {node["Relation Name"] for node in nodes if "Seq Scan" in node["Node Type"]}
    return {name for name in names if _size(name) > BIG}


def rows_read(nodes):
    """The most rows that one step looked at."""
    return max((_looked_at(node) for node in nodes), default=0)


def _looked_at(node):
    passed = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
    return int(passed * node.get("Actual Loops", 1)) if "Relation Name" in node else 0


def _nodes(node):
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _size(table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        return cursor.fetchone()[0]
