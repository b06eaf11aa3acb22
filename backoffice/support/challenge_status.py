"""The state of a challenge and of a country's texts; times left and ages as staff read them."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.identifiers import EMAIL
from accounts.models import Purpose
from backoffice.badges import BAD, GOOD, OFF, badge

VALID, USED, REPLACED, USED_UP, EXPIRED = "valid used replaced used_up expired".split()
STATE_LABELS = {
    VALID: gettext_lazy("valid"),
    USED: gettext_lazy("used"),
    REPLACED: gettext_lazy("replaced"),
    USED_UP: gettext_lazy("used up"),
    EXPIRED: gettext_lazy("expired"),
}
STATE_TONES = {VALID: GOOD, USED: OFF, REPLACED: OFF, USED_UP: BAD, EXPIRED: BAD}

# Where a link alone is sent, and no code, the link's time counts.
BY_LINK = (
    Q(purpose=Purpose.NOT_ME)
    | Q(purpose=Purpose.RESET, kind=EMAIL)
    | Q(purpose=Purpose.RESET, sends=0)
)
OPEN = Q(verified_at=None, cancelled_at=None)
NO_TRIES_LEFT = ~BY_LINK & Q(tries_left=0)
PAST_EXPIRY = (BY_LINK & Q(link_expires_at__lte=Now())) | (~BY_LINK & Q(expires_at__lte=Now()))
# Each side has an index: few attempts of a year are valid at any moment.
STILL_VALID = (BY_LINK & Q(link_expires_at__gt=Now())) | (
    ~BY_LINK & ~Q(tries_left=0) & Q(expires_at__gt=Now())
)
# The same states once more, for the database.
CONDITIONS = {
    VALID: OPEN & STILL_VALID,
    USED: Q(verified_at__isnull=False),
    REPLACED: Q(verified_at=None, cancelled_at__isnull=False),
    USED_UP: OPEN & NO_TRIES_LEFT,
    EXPIRED: OPEN & ~NO_TRIES_LEFT & PAST_EXPIRY,
}


def get_state(challenge):
    """Return which of the five states an attempt is in."""
    if challenge.verified_at:
        return USED
    if challenge.cancelled_at:
        return REPLACED
    if not challenge.tries_left and not _is_link_only(challenge):
        return USED_UP
    return VALID if ends_at(challenge) > challenge.read_at else EXPIRED


def state_badge(challenge):
    """The state of one attempt, as a badge."""
    state = get_state(challenge)
    return badge(STATE_TONES[state], STATE_LABELS[state])


def ends_at(challenge):
    """Until when what was sent works: the link where there is nothing else, the code otherwise."""
    return challenge.link_expires_at if _is_link_only(challenge) else challenge.expires_at


def time_left(challenge):
    """How long it still works, like 9m 58s; nothing when it works no longer."""
    return duration(ends_at(challenge) - challenge.read_at) if get_state(challenge) == VALID else ""


def duration(remaining):
    """A length of time, like 9m 58s or 23h 59m."""
    minutes, seconds = divmod(max(0, int(remaining.total_seconds())), 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}h {rest}m" if hours else f"{minutes}m {seconds}s"


def age(gone):
    """How long ago something was, in the largest unit that fits."""
    for unit, word in (
        (timedelta(days=1), _("%(n)sd ago")),
        (timedelta(hours=1), _("%(n)sh ago")),
    ):
        if gone >= unit:
            return word % {"n": gone // unit}
    return _("%(n)sm ago") % {"n": max(0, gone // timedelta(minutes=1))}


def spent(challenge):
    """How often a code was sent, and how many tries are left; "" where there is no code."""
    if challenge.purpose == Purpose.NOT_ME or not challenge.sends:
        return ""
    sent = ngettext("Sent once", "Sent %(sends)s times", challenge.sends)
    left = ngettext("%(tries)s try left", "%(tries)s tries left", challenge.tries_left)
    return f"{sent}, {left}" % {"sends": challenge.sends, "tries": challenge.tries_left}


def _is_link_only(challenge):
    return challenge.is_link_only or challenge.purpose == Purpose.NOT_ME


def country_state(country):
    """Whether texts go there, in words: staff's switch is for everybody, what closed itself for sign-ups alone."""
    if not country.is_open:
        return _("%(reason)s, for everybody") % {"reason": country.reason}
    if country.is_paused:
        until = date_format(localtime(country.closed_until), "j M, H:i")
        return _("closed to sign-ups until %(time)s, because hardly any codes came back") % {
            "time": until
        }
    return ""
