"""Sessions as rows of our own: whose, from where, since when, and which client holds them."""

import secrets
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F
from django.db.models.functions import Least, Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import characters, conf
from accounts.sessions.client import ClientInfo
from jobs.clock import ReadAtMixin

# How long a session may be in use before its row says so again.
TOUCH_EVERY = timedelta(minutes=5)
APP_NAME_MAX = 40


class Client(models.TextChoices):
    """What holds a session: a browser its key, an app tokens; an app that is not signed in yet a handle."""

    BROWSER = "browser", _("browser")
    APP = "app", _("app")
    PENDING = "pending", _("app in the middle of a journey")


def new_name() -> str:
    return secrets.token_hex(8)


class Session(ReadAtMixin, AbstractBaseSession):
    """One browser or app that is signed in, or in the middle of a journey.

    A cookie opens rows of browsers alone. An app's row is one family of refresh tokens: each refresh counts
    `generation` up, and the tokens are worked out from `seed`. Its `session_data` is what its user's
    `get_session_auth_hash` was.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="sessions",
        verbose_name=_("user"),
    )
    challenge = models.ForeignKey(
        "accounts.Challenge",
        models.SET_NULL,
        null=True,
        related_name="sessions",
        verbose_name=_("challenge"),
    )
    # The ids of other challenges of journeys in this browser, beside the newest one.
    other_challenges = models.CharField(max_length=200, blank=True, db_default="", editable=False)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    agent = models.CharField(_("browser"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("began"), db_default=Now())
    last_used_at = models.DateTimeField(_("last used"), db_default=Now())
    # A new key for the same person begins the row anew, but not the time until it ends.
    signed_in_at = models.DateTimeField(_("signed in"), db_default=Now())
    reauthenticated_at = models.DateTimeField(_("last reauthentication"), null=True)
    # The key this row had before somebody signed in: it opens nothing, and tells the second of two clicks (COD-11).
    former_key = models.CharField(max_length=40, blank=True, db_default="", editable=False)
    # A name that may stand on a page: the key itself signs its holder in (SES-05).
    name = models.CharField(_("name"), max_length=16, default=new_name, editable=False)
    # By PASSWORD, or by a code or link to the contact of this kind.
    reauthenticated_by = models.CharField(
        _("reauthenticated by"), max_length=8, blank=True, db_default=""
    )
    client = models.CharField(
        _("client"),
        max_length=8,
        choices=Client.choices,
        default=Client.BROWSER,
        db_default=Client.BROWSER,
    )
    # What the tokens of an app call its session: it opens nothing.
    public_id = models.UUIDField(null=True, unique=True, editable=False)
    seed = models.BinaryField(null=True, max_length=20)
    generation = models.PositiveIntegerField(default=0, db_default=0)
    rotated_at = models.DateTimeField(_("last refresh"), null=True)
    # The name that the app gave itself, cut and cleaned.
    app = models.CharField(_("app"), max_length=APP_NAME_MAX, blank=True, db_default="")

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes = [
            models.Index(
                fields=["former_key"],
                name="session_by_former_key",
                condition=models.Q(user__isnull=False) & ~models.Q(former_key=""),
            ),
            models.Index(
                fields=["session_key"],
                name="session_of_several_journeys",
                condition=models.Q(user__isnull=True) & ~models.Q(other_challenges=""),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(client="app")
                | models.Q(user__isnull=False, public_id__isnull=False, seed__isnull=False),
                name="session_of_app_has_tokens",
            ),
        ]

    @classmethod
    def get_session_store_class(cls):
        return import_module(settings.SESSION_ENGINE).SessionStore

    def touch(self) -> None:
        """Note that the session is in use, so that it idles from now (SES-07)."""
        if self.client == Client.APP:
            ends = app_session_end()
        else:
            ends = session_end(staff=bool(self.user and self.user.is_staff))
        Session.objects.filter(pk=self.pk).update(last_used_at=Now(), expire_date=ends)

    @property
    def is_touch_due(self):
        """Whether it is time to note again that the session is in use."""
        return self.last_used_at < self.read_at - TOUCH_EVERY

    @property
    def device(self):
        """The browser and system, or the app and system, in words for people; "" if nothing is known."""
        client = ClientInfo(agent=self.agent)
        if self.client != Client.APP:
            return client.device
        app = self._app_name
        if not client.system:
            return app
        return gettext("%(app)s on %(system)s") % {"app": app, "system": client.system}

    @property
    def _app_name(self):
        name = characters.isolated(self.app)
        # Some call themselves an app already.
        if not name or name.casefold().endswith("app"):
            return name or gettext("An app")
        return gettext("%(name)s app") % {"name": name}

    @property
    def is_recently_authenticated(self):
        """Whether the owner reauthenticated a short while ago (REC-08)."""
        return bool(
            self.reauthenticated_at and self.reauthenticated_at > self.read_at - conf.REAUTH_WINDOW
        )


def session_end(*, staff):
    """When a session ends that is used now: after its idle time, and so long after the sign-in at most (SES-07)."""
    idle = conf.STAFF_SESSION_IDLE if staff else conf.SESSION_IDLE
    whole = conf.STAFF_SESSION_ABSOLUTE if staff else conf.SESSION_ABSOLUTE
    return Least(Now() + idle, F("signed_in_at") + whole)


def app_session_end():
    """The same for the session of an app."""
    return Least(Now() + conf.APP_SESSION_IDLE, F("signed_in_at") + conf.APP_SESSION_ABSOLUTE)
