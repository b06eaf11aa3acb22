"""Where checks are registered and run, and what an error of ours is."""

from celery import signals
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

TAG = "storefront"

register = checks.register(TAG)


def refuse_unsafe_start() -> None:
    """Run our checks where Django runs none: in a web process. Raises ImproperlyConfigured."""
    errors = [found for found in checks.run_checks(tags=[TAG]) if found.is_serious()]
    if errors:
        raise ImproperlyConfigured(
            "\n".join(f"{error.id}: {error.msg} {error.hint}" for error in errors)
        )


@signals.celeryd_init.connect
@signals.beat_init.connect
def refuse_unsafe_worker(**_signal) -> None:
    """The same in a worker and in beat, before the first task."""
    try:
        refuse_unsafe_start()
    except ImproperlyConfigured as problem:
        # Of what a receiver raises Celery makes a line in the log, and goes on; an exit it lets through.
        raise SystemExit(str(problem)) from None


def error(number: str, message: str, hint: str) -> checks.Error:
    """What is wrong, and what to set instead."""
    return checks.Error(message, hint, id=f"{TAG}.{number}")
