"""The numbers, which the setting ASYNCDB (a dict) overrides."""

from django.conf import settings

DEFAULTS = {
    # Connections of a process, and seconds that whoever finds none free waits for one. The answer that says so should
    # be there within two.
    "POOL_SIZE": 10,
    "POOL_TIMEOUT": 1.5,
    # Functions that are in threads at once, and seconds that the next one waits.
    "THREADS": 2,
    "THREAD_TIMEOUT": 1.0,
}


def option(name: str) -> float:
    """One of the numbers. Raises KeyError for a name that is none."""
    return float({**DEFAULTS, **getattr(settings, "ASYNCDB", {})}[name])
