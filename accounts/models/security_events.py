"""What happened, written once and never changed."""

from django.db import connection, models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models.users import User
from accounts.sessions.client import ClientInfo

# What an event is called where people read it; kinds that name no event of an account are not listed.
EVENT_WORDS = {
    "registered": _("You created the account"),
    "profile_completed": _("You completed your profile"),
    "profile_changed": _("Your names were changed"),
    "username_changed": _("Your username was changed"),
    "signed_in": _("Sign-in"),
    "signed_out": _("Sign-out"),
    "new_device": _("The device was new to us"),
    "sign_in_failed": _("Somebody tried a wrong password"),
    "password_locked": _("Too many wrong passwords: paused for a while"),
    "code_sent": _("A code was sent"),
    "code_verified": _("The right code was typed"),
    "code_wrong": _("A wrong code was typed"),
    "code_used_up": _("A code was tried too often"),
    "code_replay": _("A used code was typed again"),
    "reauthenticated": _("You confirmed that it is you"),
    "password_set": _("A password was added"),
    "password_changed": _("Your password was changed"),
    "password_reset": _("A new password was chosen through a message"),
    "contact_added": _("A contact was added"),
    "contact_changed": _("A contact was replaced"),
    "contact_removed": _("A contact was removed"),
    "contact_restored": _("A contact was restored through a notice"),
    "primary_changed": _("Messages go to another contact"),
    "device_signed_out": _("A device was signed out"),
    "devices_signed_out": _("All other devices were signed out"),
    "disowned": _("Somebody said: this was not me"),
    "data_downloaded": _("Your data was downloaded"),
    "deletion_asked": _("Deletion of the account was asked for"),
    "deletion_undone": _("Deletion of the account was undone"),
    "token_replayed": _("A key of an app was used twice: the app was signed out"),
    "staff_signed_in": _("Sign-in to the staff pages"),
    "staff_recovery_sent": _("Our staff sent you a link for a new password"),
    "staff_ended_sessions": _("Our staff signed out all devices"),
    "staff_lifted_lock": _("Our staff let passwords be tried again"),
    "staff_removed_contact": _("Our staff removed a contact"),
    "staff_deactivated": _("Our staff closed the account"),
    "staff_reactivated": _("Our staff opened the account again"),
    "staff_acted": _("You acted for a shopper on the staff pages"),
    "staff_looked_up": _("An address was looked up on the staff pages"),
    "staff_contact_set": _("A contact was set by whoever runs the site"),
    "staff_password_set": _("The password was set by whoever runs the site"),
    "staff_role_changed": _("What you may do on the staff pages was changed"),
    "limit_hit": _("Something was tried too often"),
}


class WrittenOnce(TypeError):
    """Somebody wants to change what happened."""


class SecurityEventQuerySet(models.QuerySet["SecurityEvent"]):
    """What happened. Rows forget a person and grow old; nothing else becomes of them (LOG-02)."""

    FORGETTING = (("user", None), ("country", ""), ("ip", None), ("agent", ""), ("about", ""))

    def update(self, **values: object) -> int:
        """Take a person out of the rows. Raises WrittenOnce for anything else."""
        if not values or any(value not in self.FORGETTING for value in values.items()):
            raise WrittenOnce("An event is never changed.")
        return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Nobody deletes. Raises WrittenOnce."""
        raise WrittenOnce("An event is never deleted, but for its age.")

    def expire(self) -> int:
        """Delete the rows, for retention alone: the one way past the trigger of PostgreSQL. Returns how many."""
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL storefront.retention = 'on'")
            gone = self._raw_delete(self.db)
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    # Inside a larger transaction the door must not stay open behind us.
                    cursor.execute("SET LOCAL storefront.retention = 'off'")
        return gone


class SecurityEvent(models.Model):
    """Something that happened to an account or an identifier; written once, never changed."""

    kind = models.CharField(_("what"), max_length=40)
    at = models.DateTimeField(_("when"), db_default=Now())
    user = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="events", verbose_name=_("user")
    )
    fingerprint = models.CharField(_("identifier (keyed hash)"), max_length=40, blank=True)
    identifier_kind = models.CharField(_("kind of identifier"), max_length=8, blank=True)
    # Of a mobile number: the dashboard counts by it.
    country = models.CharField(_("country"), max_length=2, blank=True, db_default="")
    # Which space of the API it came through, "" for the pages: the dashboard counts by it.
    space = models.CharField(max_length=8, blank=True, db_default="", editable=False)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    agent = models.CharField(_("browser"), max_length=200, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    # Which member of staff acted, or had the account that whoever runs the site changed; it says so when that account
    # is long erased (LOG-01).
    actor = models.CharField(
        _("staff member (keyed hash)"), max_length=40, blank=True, db_default=""
    )
    # Which row staff looked at or changed: its kind and its id, never what it holds. Or which trusted browser it was.
    about = models.CharField(_("about"), max_length=80, blank=True, db_default="")

    objects = SecurityEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        indexes = [
            models.Index(fields=["user", "-at"]),
            models.Index(fields=["fingerprint", "-at"]),
            models.Index(fields=["-at"]),
            models.Index(fields=["about"], name="event_about", condition=~models.Q(about="")),
            models.Index(fields=["actor"], name="event_actor", condition=~models.Q(actor="")),
        ]

    def __str__(self):
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"

    def save(self, *args, **kwargs):
        """Write the row, once. Raises WrittenOnce when it stands already."""
        if not self._state.adding:
            raise WrittenOnce("An event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        """Nobody deletes. Raises WrittenOnce."""
        raise WrittenOnce("An event is never deleted, but for its age.")

    @property
    def words(self):
        return EVENT_WORDS.get(self.kind, self.kind.replace("_", " "))

    @property
    def device(self):
        return ClientInfo(agent=self.agent).device
