"""Sessions as rows of our own: whose, from where, since when."""

import secrets
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F
from django.db.models.functions import Least, Now
from django.utils.translation import gettext_lazy as _

from accounts import conf
from accounts.sessions.client import ClientInfo
from jobs.clock import ReadAtMixin


def new_name() -> str:
    return secrets.token_hex(8)


class Session(ReadAtMixin, AbstractBaseSession):
    """One browser that is signed in, or in the middle of a journey."""

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

    @classmethod
    def get_session_store_class(cls):
        return import_module(settings.SESSION_ENGINE).SessionStore

    def touch(self):
        """Note that the session is in use, so that it idles from now (SES-07)."""
        ends = session_end(staff=bool(self.user and self.user.is_staff))
        Session.objects.filter(pk=self.pk).update(last_used_at=Now(), expire_date=ends)

    @property
    def device(self):
        return ClientInfo(agent=self.agent).device

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
