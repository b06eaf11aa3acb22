"""Limits in words, for staff who look for what is in somebody's way."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Pool

LIMIT_LABELS = {
    "messages": gettext_lazy("messages to this address"),
    "resends": gettext_lazy("codes sent again"),
    "resends by owner": gettext_lazy("codes sent again"),
    "messages by owner": gettext_lazy("messages to this address"),
    "guesses": gettext_lazy("codes typed"),
    "guesses by owner": gettext_lazy("codes typed"),
    "resets": gettext_lazy("links for a new password"),
    "resets by owner": gettext_lazy("links for a new password"),
    "sign-ins": gettext_lazy("sign-ins in new browsers"),
    "passwords by name": gettext_lazy("passwords tried for this address"),
    "passwords by account": gettext_lazy("passwords tried for the account"),
    "passwords by device": gettext_lazy("passwords tried in a browser of theirs"),
    "staff logins by name": gettext_lazy("passwords tried on the staff pages"),
    "staff logins by browser": gettext_lazy(
        "passwords tried on the staff pages, in a browser of theirs"
    ),
    "staff messages": gettext_lazy("codes of the staff pages sent"),
    "staff guesses": gettext_lazy("codes of the staff pages typed"),
    "texts": gettext_lazy("texts to everybody"),
    "texts by country": gettext_lazy("texts to this country"),
    "texts by prefix": gettext_lazy("texts to numbers like this one"),
}
POOL_LABELS = {
    Pool.SIGN_UP: gettext_lazy("for sign-ups"),
    Pool.RETURN: gettext_lazy("in new browsers"),
    Pool.OWNER: gettext_lazy("for trusted browsers and staff"),
}


def limit_label(limit):
    """Say what is limited, and for whom."""
    what = LIMIT_LABELS[limit.name]
    if not limit.pool:
        return what
    return _("%(what)s, %(whose)s") % {"what": what, "whose": POOL_LABELS[limit.pool]}
