"""The outbox: each row promises one message. Workers take rows by conditional UPDATE."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from messaging.credentials import vault

EMAIL, SMS = "email", "sms"
CHANNELS = [(EMAIL, _("email")), (SMS, _("text message"))]
LEASE = timedelta(seconds=30)
MAX_TRIES = 200


class Status(models.TextChoices):
    """Where a message is. Only the first two are tried again; receipts move what a provider has accepted."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    SENT = "sent", _("handed over")
    DELIVERED = "delivered", _("delivered")
    BOUNCED = "bounced", _("bounced")
    COMPLAINED = "complained", _("reported as spam")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("no longer wanted")


# No provider has it yet; a provider accepted it; a person got it; it came to nothing. Every page and figure counts
# by these.
PENDING = (Status.QUEUED, Status.SENDING)
ACCEPTED = (Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED)
ARRIVED = (Status.DELIVERED, Status.COMPLAINED)
UNDELIVERED = (Status.FAILED, Status.BOUNCED, Status.EXPIRED)


class OutboxQuerySet(models.QuerySet["OutboxMessage"]):
    """Messages by whether a worker may send them now, by the database's clock."""

    def due(self) -> "OutboxQuerySet":
        """Messages a worker may take: waiting long enough, or left behind by a worker that died."""
        waiting = Q(status=Status.QUEUED, due_at__lte=Now())
        abandoned = Q(status=Status.SENDING, lease_until__lte=Now())
        return self.filter(waiting | abandoned)

    def claim(self) -> "OutboxMessage | None":
        """Take the oldest due one of these messages for LEASE, in one statement; None when there is none.

        Two workers never take the same one, and on PostgreSQL neither waits for the other (OUT-02).
        """
        oldest, values = self.due().order_by("due_at").values("pk")[:1].query.sql_with_params()
        skip = (
            "FOR UPDATE SKIP LOCKED"
            if connection.features.has_select_for_update_skip_locked
            else ""
        )
        taken = OutboxMessage.objects.raw(
            CLAIM.format(
                table=OutboxMessage._meta.db_table, oldest=oldest, skip=skip, lease=_lease()
            ),
            [Status.SENDING, *values],
        )
        return next(iter(taken), None)


CLAIM = """
UPDATE {table} SET status = %s, tries = tries + 1, lease_until = {lease} WHERE id = ({oldest} {skip}) RETURNING *
"""


def _lease() -> str:
    return {
        "postgresql": f"statement_timestamp() + interval '{LEASE.seconds} seconds'",
        "sqlite": f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+{LEASE.seconds} seconds')",
    }[connection.vendor]


class OutboxMessage(models.Model):
    """One message to one address: the name of its template and what it is about, never the text.

    `about_id` is the row it is about, of whichever table the template's composer reads; `part` tells several messages
    about one row apart. `provider_id` is that of a Provider, or of a provider that the environment names.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.CharField(_("template"), max_length=40)
    about_id = models.UUIDField()
    part = models.CharField(max_length=40, blank=True)
    channel = models.CharField(_("channel"), max_length=8, choices=CHANNELS)
    address = models.CharField(max_length=254)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.QUEUED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    provider_id = models.UUIDField(_("provider"), null=True)
    provider_ref = models.CharField(_("provider's id"), max_length=200, blank=True)
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
                condition=Q(status__in=PENDING),
            ),
            models.Index(fields=["-created_at"]),
            models.Index(fields=["address"]),
            models.Index(fields=["about_id"]),
            models.Index(
                fields=["provider_ref"], name="outbox_provider_ref", condition=~Q(provider_ref="")
            ),
            models.Index(fields=["settled_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.pk}"

    @property
    def claimed_at(self) -> datetime:
        """When the claim that this row came with began, by the database's clock."""
        if self.lease_until is None:
            raise ValueError("not claimed")
        return self.lease_until - LEASE

    def settle(
        self,
        status: Status,
        *,
        provider_id: uuid.UUID | None = None,
        provider_ref: str = "",
        error: str = "",
    ) -> None:
        """Write how sending ended."""
        sent_by = {"provider_id": provider_id, "provider_ref": provider_ref[:200]}
        if not self._release(status=status, error=error[:120], settled_at=Now(), **sent_by):
            # A receipt was faster, and could not know who had carried it.
            unnamed = OutboxMessage.objects.filter(pk=self.pk, provider_id=None)
            unnamed.exclude(status__in=PENDING).update(**sent_by)

    def postpone(self, wait: timedelta, *, error: str) -> None:
        """Leave the message for a later try."""
        self._release(status=Status.QUEUED, due_at=Now() + wait, error=error[:120])

    def move(self, status: Status, *, over: Iterable[Status]) -> bool:
        """Follow a receipt: move to `status` from any status in `over`; False when the message is further already."""
        behind = OutboxMessage.objects.filter(pk=self.pk, status__in=list(over))
        # The moment of the hand-over stays, if there was one before the receipt.
        settled = Coalesce("settled_at", Now())
        return behind.update(status=status, lease_until=None, settled_at=settled) == 1

    def _release(self, **values: object) -> bool:
        # Only from the state our claim made: a worker that overslept its lease writes over nobody.
        mine = OutboxMessage.objects.filter(pk=self.pk, status=Status.SENDING, tries=self.tries)
        return mine.update(lease_until=None, **values) == 1


class Readiness(models.TextChoices):
    """Whether a test message went through a provider as it is set up now, or staff do without one."""

    UNTESTED = "untested", _("untested")
    TESTED = "tested", _("tested")
    WAIVED = "waived", _("in use without a test")


class ProviderQuerySet(models.QuerySet["Provider"]):
    """Providers by what may go through them."""

    def in_use(self, channel: str) -> "ProviderQuerySet":
        """Those that staff want to carry this channel, tested or not."""
        return self.filter(channel=channel, is_active=True)

    def carrying(self, channel: str) -> "ProviderQuerySet":
        """Those that carry this channel: in use, and no longer untested."""
        return self.in_use(channel).exclude(readiness=Readiness.UNTESTED)


class Provider(models.Model):
    """One account with one company that sends messages, as staff entered it. Secrets are sealed for this row.

    What is new, or sends elsewhere, with other credentials or as somebody else than before, is untested: it carries
    test messages alone. One wrong row would else take every code with it, those of the staff who could repair it, too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=20)
    channel = models.CharField(_("channel"), max_length=8, choices=CHANNELS)
    is_active = models.BooleanField(_("in use"), default=True)
    rank = models.PositiveSmallIntegerField(
        _("rank"), default=1, help_text=_("The lowest is tried first, the others when it fails.")
    )
    weight = models.PositiveSmallIntegerField(
        _("weight"),
        default=1,
        help_text=_(
            "Among providers of one rank: its share of the messages. 0: only when the others fail."
        ),
    )
    options = models.JSONField(_("settings"), default=dict)
    sealed = models.JSONField(default=dict, editable=False)
    readiness = models.CharField(
        _("readiness"), max_length=8, choices=Readiness, default=Readiness.UNTESTED, editable=False
    )

    objects = ProviderQuerySet.as_manager()

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["channel", "rank", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def values(self) -> dict[str, str]:
        """The settings and secrets that its backend wants, unsealed. Raises vault.Locked."""
        opened = {
            field: vault.unseal(token, row=self.pk, field=field)
            for field, token in self.sealed.items()
        }
        return {**self.options, **opened}

    @property
    def receipts_path(self) -> str:
        """The address on this site that takes the provider's receipts."""
        return reverse("receipts", args=[self.pk])

    def switch(self, on: bool) -> bool:
        """Put the provider in use or take it out, from the next message on. Returns whether that changed anything."""
        self.is_active = on
        return Provider.objects.filter(pk=self.pk, is_active=not on).update(is_active=on) == 1

    def release(self, readiness: Readiness) -> bool:
        """Let messages through the provider as it was read; False when it was set up anew in the meantime."""
        same = Provider.objects.filter(pk=self.pk, options=self.options, sealed=self.sealed)
        return same.update(readiness=readiness) == 1

    def set_secret(self, field: str, secret: str) -> None:
        """Seal one secret into this row, which is still to be saved. Raises vault.Locked without a key."""
        self.sealed[field] = vault.seal(secret, row=self.pk, field=field)


class Channel(models.Model):
    """Whether staff let a channel be used. A channel without a row may be used."""

    name = models.CharField(_("channel"), max_length=8, choices=CHANNELS, primary_key=True)
    is_open = models.BooleanField(_("in use"), default=True)
    changed_at = models.DateTimeField(_("switched"), db_default=Now())

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")

    def __str__(self) -> str:
        return str(self.get_name_display())

    def switch(self, on: bool) -> bool:
        """Open or close the channel, from the next message on. Returns whether that changed anything."""
        Channel.objects.bulk_create([Channel(name=self.name)], ignore_conflicts=True)
        switched = Channel.objects.filter(pk=self.pk, is_open=not on)
        return switched.update(is_open=on, changed_at=Now()) == 1


class Receipt(models.Model):
    """What a provider reported later about a message it had accepted: one row, however often it reports the same."""

    key = models.CharField(max_length=64, primary_key=True)
    message = models.ForeignKey(OutboxMessage, models.CASCADE, related_name="receipts")
    provider_id = models.UUIDField(_("provider"))
    status = models.CharField(_("status"), max_length=12, choices=Status)
    detail = models.CharField(_("reason"), max_length=120, blank=True)
    at = models.DateTimeField(_("happened at"))
    received_at = models.DateTimeField(_("received at"), db_default=Now())

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")

    def __str__(self) -> str:
        return f"{self.status} {self.message_id}"

    @property
    def summary(self) -> str:
        """The status and the reason, which may begin with the status itself, like "bounced 5.1.1"."""
        reason = self.detail.removeprefix(self.status).strip()
        return f"{self.get_status_display()}: {reason}" if reason else self.get_status_display()


class Breaker(models.Model):
    """The state of one provider's circuit breaker. outbox/breaker.py holds the rule."""

    provider_id = models.UUIDField(_("provider"), primary_key=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failing_since = models.DateTimeField(_("since"), db_default=Now())
    open_until = models.DateTimeField(_("not tried until"), null=True)

    class Meta:
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")

    def __str__(self) -> str:
        return str(self.provider_id)


class Alert(models.Model):
    """Something that staff should look at: what, about which part of the service, how often and when."""

    kind = models.CharField(_("what"), max_length=40)
    about = models.CharField(_("about"), max_length=80, blank=True)
    times = models.PositiveIntegerField(_("times"), default=0)
    first_at = models.DateTimeField(_("first"), db_default=Now())
    last_at = models.DateTimeField(_("last"), db_default=Now())
    logged_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = [models.UniqueConstraint(fields=["kind", "about"], name="alert_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"

    @property
    def summary(self) -> str:
        """What is wrong, for people."""
        return self.kind.replace("_", " ")
