"""The outbox: each row promises one message. Workers take rows by conditional UPDATE."""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

EMAIL, SMS = "email", "sms"
LEASE = timedelta(seconds=30)
MAX_TRIES = 8


class Status(models.TextChoices):
    """Where a message is. All but the first two are final."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    SENT = "sent", _("handed over")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("no longer wanted")


class OutboxQuerySet(models.QuerySet["OutboxMessage"]):
    """Messages by what may be done with them now, by the database's clock."""

    def due(self) -> "OutboxQuerySet":
        """Messages a worker may take: waiting long enough, or left behind by a worker that died."""
        waiting = Q(status=Status.QUEUED, due_at__lte=Now())
        abandoned = Q(status=Status.SENDING, lease_until__lte=Now())
        return self.filter(waiting | abandoned)


class OutboxMessage(models.Model):
    """One message to one address. It holds a letter's name and a reference, never the words."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    letter = models.CharField(_("letter"), max_length=40)
    ref = models.CharField(max_length=80)
    channel = models.CharField(
        _("channel"), max_length=8, choices=[(EMAIL, _("email")), (SMS, _("text message"))]
    )
    address = models.CharField(max_length=254)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.QUEUED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    provider = models.CharField(_("provider"), max_length=40, blank=True)
    error = models.CharField(_("last error"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("queued at"), db_default=Now())
    due_at = models.DateTimeField(_("next try"), db_default=Now())
    lease_until = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(_("worth sending until"))
    settled_at = models.DateTimeField(_("settled at"), null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(
                fields=["due_at"],
                name="outbox_unsettled",
                condition=Q(status__in=[Status.QUEUED, Status.SENDING]),
            ),
            models.Index(fields=["-created_at"]),
            models.Index(fields=["address"]),
        ]

    def __str__(self) -> str:
        return f"{self.letter} {self.pk}"

    def claim(self) -> bool:
        """Take the message for LEASE, or return False when another worker has it or it is settled."""
        taken = OutboxMessage.objects.due().filter(pk=self.pk)
        return (
            taken.update(status=Status.SENDING, lease_until=Now() + LEASE, tries=F("tries") + 1)
            == 1
        )

    def settle(self, status: Status, *, provider: str = "", error: str = "") -> None:
        """Write how it ended."""
        self._release(status=status, provider=provider, error=error, settled_at=Now())

    def postpone(self, wait: timedelta, *, error: str) -> None:
        """Leave it for a later try."""
        self._release(status=Status.QUEUED, due_at=Now() + wait, error=error)

    def _release(self, **values: object) -> None:
        # Only from the state our claim made: a worker that overslept its lease writes over nobody.
        mine = OutboxMessage.objects.filter(pk=self.pk, status=Status.SENDING, tries=self.tries)
        mine.update(lease_until=None, **values)
