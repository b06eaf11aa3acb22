"""What texts may cost: budgets, a switch for each country and for all, and a guard against codes nobody types."""

from accounts import limits, refusals
from accounts.errors import TextsStopped
from accounts.identifiers import Identifier
from accounts.models import TextCountry
from accounts.origin import Origin
from messaging import alerts


def spend(to: Identifier, *, is_real: bool) -> None:
    """Count one more text to `to`, in the caller's transaction. Raises TextsStopped.

    One that will not leave, for a number without an account, asks the same and counts nothing (ABU-03, ENU-03).
    """
    country = TextCountry(code=to.country)
    # The same statement for the first text to a country as for the next: nobody may count a difference (ENU-02).
    TextCountry.objects.bulk_create([country], ignore_conflicts=True)
    if not country.count_text(int(is_real)):
        raise TextsStopped(country.code, to)
    budgets = limits.texts(to)
    taken = limits.take(*(budgets if is_real else limits.room(budgets)))
    if len(taken) < len(budgets):
        full = next(limit for limit in budgets if limit.key not in {hit.key for hit in taken})
        raise TextsStopped(f"{full.name} {full.subject}", to)


def came_back(number: Identifier) -> None:
    """Count a code that was typed, for the country it was sent to."""
    TextCountry(code=number.country).count_proof()


def refuse_number(number: Identifier, *, origin: Origin) -> None:
    """Write down a number that costs more than we pay (IDN-05). Raises TooOften."""
    limits.admit(*limits.refused_numbers(origin))
    refusals.note("number_refused", origin=origin, identifier=number)


def stopped(refusal: TextsStopped, *, origin: Origin) -> None:
    """Write down that texts were refused, outside the transaction that was rolled back, and tell staff (LOG-02)."""
    refusals.note("texts_stopped", origin=origin, identifier=refusal.to)
    TextCountry.objects.filter(code=refusal.scope).judge()
    alerts.sound("texts_stopped", refusal.scope)
