"""The words we send, chosen as they leave. The outbox holds a name and a reference; here they become facts."""

from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.urls import reverse

from accounts import policy
from accounts.identifiers import EMAIL
from accounts.models import Challenge, Purpose, User
from messaging.letters import writes


@writes("code")
def code(ref: str) -> dict[str, object] | None:
    """The facts of a code's message, or None when the code is used, replaced or too old (OUT-04)."""
    pk, _colon, number = ref.partition(":")
    challenge = Challenge.objects.open().filter(pk=pk, sends=number).first()
    if challenge is None:
        return None
    owner = _owner(challenge)
    if owner and not owner.is_active:
        return None
    return {
        "code": challenge.code,
        "link": "" if owner else _link(challenge),
        "minutes": int(policy.CODE_TTL.total_seconds() // 60),
        "requested_at": challenge.sent_at,
        "device": challenge.device,
        "host": urlsplit(settings.SITE_URL).hostname,
        "welcome_back": owner is not None,
    }


def _owner(challenge: Challenge) -> User | None:
    """Whose account the identifier of a registration already opens, if anyone's."""
    if challenge.purpose != Purpose.REGISTER:
        return None
    return User.objects.for_identifier(challenge.identifier).first()


def _link(challenge: Challenge) -> str:
    if challenge.kind != EMAIL or challenge.purpose != Purpose.REGISTER:
        return ""
    return f"{settings.SITE_URL}{reverse('accounts:verify-email')}?{urlencode({'token': challenge.link_token})}"
