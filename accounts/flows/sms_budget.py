"""What texts may cost: budgets, a switch for each country and for all, and a guard against codes nobody types."""

from accounts import limits, refusals
from accounts.errors import SmsStopped
from accounts.identifiers import Identifier
from accounts.models import Pool, SmsCountry
from accounts.sessions.client import ClientInfo
from messaging import alerts
from ratelimits.engine import consume, refund


def spend(to: Identifier, pool: Pool) -> None:
    """Count one more text to `to`, before it is queued. Raises SmsStopped, and has counted nothing then.

    One that will not leave, for a number without an account, costs the same in every way (ABU-03, ENU-08).
    """
    country = SmsCountry(code=to.country)
    if not (_count_sign_up(country) if pool == Pool.SIGN_UP else not country.is_stopped()):
        raise SmsStopped(country.code, to)
    budgets = limits.sms(to, pool)
    taken = consume(*budgets)
    full = [limit for limit in budgets if limit not in taken]
    if full:
        # A notice is not sent then, and what it tells of happens all the same.
        refund(*taken.values())
        # No part of a number stands in an alert or a log.
        raise SmsStopped(f"{full[0].name} {pool} {to.country}", to)


def record_verified(number: Identifier, pool: Pool) -> None:
    """Count a code that was typed, for the country it was sent to; of sign-ups alone: others tell of accounts."""
    if pool == Pool.SIGN_UP:
        SmsCountry(code=number.country).count_verified()


def record_refused_number(number: Identifier, *, client: ClientInfo) -> None:
    """Write down a number that costs more than we pay (IDN-05). Raises TooOften."""
    limits.enforce_durably(*limits.refused_numbers(client))
    refusals.record("number_refused", client=client, identifier=number)


def record_stopped(refusal: SmsStopped, *, client: ClientInfo) -> None:
    """Write down that texts were refused, outside the transaction that was rolled back, and tell staff (LOG-02)."""
    refusals.record("sms_stopped", client=client, identifier=refusal.to)
    SmsCountry.objects.filter(code=refusal.scope).close_suspicious()
    alerts.trigger("sms_stopped", refusal.scope)


def _count_sign_up(country: SmsCountry) -> bool:
    # The same statement for the first text to a country as for the next: nobody may count a difference (ENU-02).
    SmsCountry.objects.bulk_create([country], ignore_conflicts=True)
    return country.count_sign_up()
