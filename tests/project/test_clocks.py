"""One clock: nothing that is compared with a time of the database comes from the clock of a process (TIM-01)."""

import ast

import pytest
from django.apps import apps
from django.utils import timezone

from storefront import BASE_DIR

OURS = ("accounts", "api", "asyncdb", "backoffice", "jobs", "messaging", "ratelimits", "storefront")
# What asks the clock of the machine, by the last parts of the name that is called.
CLOCKS = {
    "now", "localdate", "localtime", "time.time", "time.time_ns", "utcnow", "today", "fromtimestamp", "gmtime",
}  # fmt: skip
# Calls that ask for no time when they are given one.
WITH_A_MOMENT = {"localtime", "fromtimestamp", "gmtime"}
# Where the clock of the machine may be asked, and why.
ALLOWED = {
    (
        "accounts/views/account.py",
        "now",
    ): "the day in the name of a file that is downloaded: compared with nothing",
    (
        "messaging/providers/http.py",
        "now",
    ): "a provider's Retry-After, where its response bears no date of its own",
    ("messaging/providers/mailbox.py", "now"): "what a message of the development mailbox shows",
    ("messaging/providers/mailbox.py", "time.time_ns"): "the order of the files of that mailbox",
}
# By these a task would be dropped, or begun, by comparing the clocks of two machines (TIM-03).
OF_TWO_MACHINES = {"expires", "eta", "countdown"}


def calls(path):
    """Every call in a module, with its dotted name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def sources():
    for app in OURS:
        for path in sorted((BASE_DIR / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(BASE_DIR)), path


def clock_of(name, call):
    """The clock that a call asks, or ""."""
    last = name.rpartition(".")[2]
    found = next((clock for clock in CLOCKS if name == clock or name.endswith(f".{clock}")), "")
    return "" if last in WITH_A_MOMENT and (call.args or call.keywords) else found


def test_only_these_ask_the_clock_of_the_machine():  # TIM-01
    asked = {
        (name, clock)
        for name, path in sources()
        for called, call in calls(path)
        if (clock := clock_of(called, call))
    }

    assert asked == {*ALLOWED}


@pytest.mark.parametrize(
    "line",
    [
        "now()",
        "timezone.now()",
        "datetime.now(UTC)",
        "time.time()",
        "date.today()",
        "datetime.utcnow()",
    ],
)
def test_the_look_for_clocks_finds_them(tmp_path, line):
    module = tmp_path / "module.py"
    module.write_text(f"x = {line} - then\ny = time.monotonic()\nz = localtime(then)\nw = Now()")

    assert [name for name, call in calls(module) if clock_of(name, call)] == [
        line.partition("(")[0]
    ]


def test_a_default_of_a_column_is_the_time_of_the_database():  # TIM-01
    of_the_process = {
        str(field)
        for model in apps.get_models()
        if model.__module__.startswith(OURS)
        for field in model._meta.concrete_fields
        if getattr(field, "auto_now", False)
        or getattr(field, "auto_now_add", False)
        or field.default is timezone.now
    }

    assert not of_the_process


def test_no_task_expires_or_begins_by_a_foreign_clock():  # TIM-03
    given = {
        (name, keyword.arg)
        for name, path in sources()
        for called, call in calls(path)
        if called.endswith((".apply_async", ".delay", "send_task", "shared_task"))
        for keyword in call.keywords
        if keyword.arg in OF_TWO_MACHINES
    }

    assert not given
