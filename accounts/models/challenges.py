"""One attempt to verify one identifier: its purpose, its tries, its codes and its link."""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import ExpressionWrapper, F
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts import codes, conf
from accounts.identifiers import EMAIL, PHONE, Identifier, fingerprint, fingerprints
from accounts.models.users import User
from jobs.clock import ReadAtMixin, ReadAtQuerySet


class Purpose(models.TextChoices):
    """What a code or link is good for; a code of one purpose is no code of another (COD-08)."""

    REGISTER = "register", _("registration")
    CONTACT = "contact", _("new contact")
    LOGIN = "login", _("sign-in")
    CONFIRM = "confirm", _("confirmation of who is there")
    RESET = "reset", _("new password")
    NOT_ME = "not_me", _("notice to the owner")
    STAFF = "staff", _("sign-in to the staff pages")
    STAFF_CHANGE = "staff_change", _("change of a staff account")
    STAFF_CONTACT = "staff_contact", _("new contact of a staff account")


# Purposes that somebody who is not signed in may begin for any address: without a user, nothing is sent (ENU-03).
ANONYMOUS_PURPOSES = (Purpose.LOGIN, Purpose.RESET)
# Purposes of the staff pages, which only a right staff password begins.
STAFF_PURPOSES = (Purpose.STAFF, Purpose.STAFF_CHANGE, Purpose.STAFF_CONTACT)
# Purposes whose address somebody merely typed who is signed in: it is theirs only once it is verified (ENU-07).
TYPED_PURPOSES = (Purpose.CONTACT, Purpose.STAFF_CONTACT)


class Pool(models.TextChoices):
    """Who asks, as far as the request alone tells: so what a limit answers says nothing of any account (ABU-08).

    A new contact is as unverified as an address at registration, whoever is signed in: it is nobody's own yet.
    """

    SIGN_UP = "sign-up", _("sign-ups and new contacts")
    RETURN = "return", _("sign-in and recovery in other browsers")
    OWNER = "owner", _("trusted browsers, signed-in owners and staff who help them")
    STAFF = "staff", _("codes of the staff pages")


# Those whose texts take a budget; codes of the staff pages leave whatever texts have cost.
BUDGETED_POOLS = (Pool.SIGN_UP, Pool.RETURN, Pool.OWNER)

# Who asks, unless the request tells that it is the owner.
POOL_BY_PURPOSE = {
    Purpose.REGISTER: Pool.SIGN_UP,
    Purpose.CONTACT: Pool.SIGN_UP,
    Purpose.LOGIN: Pool.RETURN,
    Purpose.RESET: Pool.RETURN,
    Purpose.CONFIRM: Pool.OWNER,
    Purpose.NOT_ME: Pool.OWNER,
    Purpose.STAFF: Pool.STAFF,
    Purpose.STAFF_CHANGE: Pool.STAFF,
    # Whatever a member of staff types: it is nobody's until it is verified.
    Purpose.STAFF_CONTACT: Pool.SIGN_UP,
}


# How much of a keyed hash names a row on a page.
REFERENCE_LENGTH = 16


def attempt_references(pk: uuid.UUID | str) -> list[str]:
    """The names on pages for the attempt with this key: today's, and those under older keys that are still read."""
    return [each[:REFERENCE_LENGTH] for each in fingerprints(f"attempt {pk}")]


class ChallengeQuerySet(ReadAtQuerySet["Challenge"]):
    """Challenges by the state the database's own clock gives them."""

    def live(self):
        """Attempts that still stand: neither verified nor closed, and young enough for their link."""
        return self.filter(verified_at=None, cancelled_at=None, link_expires_at__gt=Now())

    def open(self):
        """Attempts whose newest code may be typed."""
        return self.live().filter(tries_left__gt=0, expires_at__gt=Now())

    def cancel_open(self) -> int:
        """End every attempt that stands, but the notices: whoever got one may still say "not me" (REG-05)."""
        return self.exclude(purpose=Purpose.NOT_ME).cancel_all()

    def cancel_all(self) -> int:
        """End every attempt that stands, the links of notices among them."""
        return self.filter(verified_at=None, cancelled_at=None).update(cancelled_at=Now())

    def with_link_life(self):
        """Each with what is left of its link's life as `link_life`, by the database's clock."""
        left = ExpressionWrapper(F("link_expires_at") - Now(), models.DurationField())
        return self.annotate(link_life=left)  # type: ignore[no-redef]

    def begin(self, *, life: timedelta, link_life: timedelta, **columns: object) -> "Challenge":
        """Insert an attempt whose code works for `life` and whose link works for `link_life`."""
        challenge = self.create(
            expires_at=Now() + life, link_expires_at=Now() + link_life, **columns
        )
        # One statement is one moment: the object says what its row does, without reading it.
        moment = challenge.read_at = challenge.created_at
        challenge.expires_at, challenge.link_expires_at = moment + life, moment + link_life
        return challenge

    def create_link(
        self, purpose: Purpose, to: Identifier, user: User, *, life: timedelta, **columns: object
    ) -> "Challenge":
        """Insert an attempt that has a link for `life`, and no code."""
        return self.begin(
            purpose=purpose,
            kind=to.kind,
            recipient=to.key,
            address=to.address,
            user=user,
            tries_left=0,
            life=timedelta(),
            link_life=life,
            **columns,
        )

    def find_by_token(self, token: str) -> "Challenge | None":
        """The row whose emailed link carries `token`, with what is left of its life as `link_life`, or None."""
        pk = codes.challenge_id(token)
        # What is no token at all, as where there is none, costs no query: such a page opens without a database.
        row = self.filter(pk=pk).with_link_life().first() if pk else None
        return row if row and codes.is_same(row.link_token, token) else None


class Challenge(ReadAtMixin, models.Model):
    """One attempt to verify one identifier. Its codes and its link are derived from the seed and stand nowhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose)
    kind = models.CharField(
        _("sent by"), max_length=8, choices=[(EMAIL, _("email")), (PHONE, _("text message"))]
    )
    recipient = models.CharField(_("recipient"), max_length=conf.EMAIL_MAX)
    # Of the recipient, as the audit has it: erasure finds what only the audit still knows to be somebody's.
    fingerprint = models.CharField(max_length=40, blank=True, db_default="", editable=False)
    address = models.CharField(max_length=conf.EMAIL_MAX)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, related_name="challenges", verbose_name=_("user")
    )
    device = models.CharField(_("asked for on"), max_length=60, blank=True)
    # Settled when it begins, in the browser that holds it: what is sent and tried later counts there, too.
    pool = models.CharField(
        max_length=8, choices=Pool, default=Pool.SIGN_UP, db_default=Pool.SIGN_UP
    )
    # Which space of the API began it: emailed links then lead where FRONTEND_URL says. "" for the pages.
    space = models.CharField(max_length=8, blank=True, db_default="", editable=False)
    # Nobody may learn from it whether the address has an account (ENU-06).
    is_private = models.BooleanField(default=False, db_default=False)
    seed = models.BinaryField(default=codes.new_seed)
    key_id = models.CharField(max_length=8, default=codes.current_key_id)
    sends = models.PositiveSmallIntegerField(_("codes sent"), default=1)
    tries_left = models.PositiveSmallIntegerField(_("tries left"))
    replays = models.PositiveSmallIntegerField(_("typed again after use"), default=0)
    created_at = models.DateTimeField(_("began"), db_default=Now())
    sent_at = models.DateTimeField(_("newest code at"), db_default=Now())
    expires_at = models.DateTimeField(_("code works until"))
    link_expires_at = models.DateTimeField(_("link works until"))
    verified_at = models.DateTimeField(_("verified"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True)

    # Told by with_link_life().
    link_life = timedelta()

    objects = ChallengeQuerySet.as_manager()

    class Meta:
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        indexes = [
            models.Index(fields=["recipient", "-created_at"]),
            models.Index(fields=["-created_at"]),
            models.Index(
                fields=["fingerprint"],
                name="challenge_of_nobody",
                condition=models.Q(user__isnull=True),
            ),
        ]

    def __str__(self):
        return f"{self.get_purpose_display()} {self.pk}"

    def save(self, *args, **kwargs):
        """Write the row, a new one with the fingerprint of its recipient."""
        if self._state.adding:
            self.fingerprint = fingerprint(self.recipient)
        super().save(*args, **kwargs)

    @property
    def identifier(self) -> Identifier:
        return Identifier(kind=self.kind, key=self.recipient, address=self.address)

    @property
    def owner(self) -> User | None:
        """Whose attempt it is, or None: also when the account was erased a moment ago."""
        return User.objects.filter(pk=self.user_id).first() if self.user_id else None

    @property
    def shopper(self) -> User | None:
        """The owner, if the shop would let them in: neither shut out nor staff."""
        active = User.objects.shoppers().filter(is_active=True)
        return active.filter(pk=self.user_id).first() if self.user_id else None

    @property
    def code(self) -> str:
        """The newest code: for the message that leaves, and for nobody else."""
        return self._code(self.sends)

    @property
    def link_token(self) -> str:
        """The token of the emailed link: one for the whole attempt, under a purpose of its own."""
        return codes.derive_token(self.pk, bytes(self.seed), self.key_id, *self._facts)

    @property
    def link_name(self) -> str:
        """A name for the emailed link that may stand on a page: it opens nothing without the browser's cookie."""
        return fingerprint(f"link {self.pk}")[:REFERENCE_LENGTH]

    @property
    def reference(self) -> str:
        """A name for the attempt that may stand on a page: it opens nothing without the session that began it."""
        return attempt_references(self.pk)[0]

    @property
    def resend_at(self):
        """When the cool-down after the newest code ends."""
        return self.sent_at + conf.CODE_RESEND_COOLDOWN

    @property
    def is_standing(self) -> bool:
        """Whether the attempt is neither used up nor cancelled, as it was read."""
        return not (self.verified_at or self.cancelled_at)

    @property
    def is_cooling(self) -> bool:
        """Whether the attempt stands, and its newest code was sent so short a time ago that no other may be."""
        return self.is_standing and self.resend_at > self.read_at

    @property
    def is_decoy(self) -> bool:
        """Whether it was begun for an address without an account: it looks like any other, and no code is right."""
        return self.user_id is None and self.purpose in ANONYMOUS_PURPOSES

    @property
    def is_of_staff(self) -> bool:
        """Whether the staff pages began it, and not the shop."""
        return self.purpose in STAFF_PURPOSES

    @property
    def is_link_only(self) -> bool:
        """Whether a link alone is sent, and no code: 144 bits rather than six digits open an account."""
        # By text only when staff send it: no browser holds the attempt, so nobody could type a code.
        return self.purpose == Purpose.RESET and (self.kind == EMAIL or not self.sends)

    def is_current_code(self, typed: str) -> bool:
        """Whether `typed` is the newest code. None is right where only a link was sent, or nothing."""
        return codes.is_same(typed, self.code) and not (self.is_decoy or self.is_link_only)

    def is_earlier_code(self, typed: str) -> bool:
        """Whether `typed` is a code of this attempt that a newer one replaced."""
        return any(codes.is_same(typed, self._code(number)) for number in range(1, self.sends))

    def spend_try(self) -> bool:
        """Take one try, or return False when the code is closed (COD-06)."""
        # The WHERE clause is the lock: a hundred requests at once take five tries, not six.
        taken = Challenge.objects.open().filter(pk=self.pk).update(tries_left=F("tries_left") - 1)
        return taken == 1

    def close_code(self) -> bool:
        """Let the newest code be typed no more, or return False when somebody was first; the attempt stands."""
        current = Challenge.objects.open().filter(pk=self.pk, sends=self.sends)
        return current.update(tries_left=0) == 1

    def count_replay(self) -> bool:
        """Count that the used code was typed again, or return False when that was noted often enough (LOG-01)."""
        noted = Challenge.objects.filter(pk=self.pk, replays__lt=conf.CODE_MAX_ATTEMPTS)
        return noted.update(replays=F("replays") + 1) == 1

    def renew(self) -> bool:
        """Move to the next code with ten minutes of its own, or return False while the cool-down lasts (COD-09)."""
        waited = Challenge.objects.live().filter(sent_at__lte=Now() - conf.CODE_RESEND_COOLDOWN)
        cool = waited.filter(pk=self.pk, tries_left__gt=0)
        renewed = cool.update(sends=F("sends") + 1, sent_at=Now(), expires_at=Now() + conf.CODE_TTL)
        return renewed == 1

    def cancel(self) -> bool:
        """Cancel the attempt, or return False when it is over already."""
        return (
            Challenge.objects.filter(pk=self.pk, verified_at=None, cancelled_at=None).update(
                cancelled_at=Now()
            )
            == 1
        )

    def cancel_used_up(self) -> bool:
        """Cancel an attempt that is out of tries, or return False when it is not, or the cool-down lasts (COD-09)."""
        cool = Challenge.objects.filter(
            sent_at__lte=Now() - conf.CODE_RESEND_COOLDOWN, tries_left=0
        )
        standing = cool.filter(pk=self.pk, verified_at=None, cancelled_at=None)
        return standing.update(cancelled_at=Now()) == 1

    def mark_verified(self, user_id: uuid.UUID | None = None) -> bool:
        """Use the attempt up for `user_id`, or return False when somebody was first (COD-05)."""
        # With the send counter: a resend that overtook this request has killed the code it brought.
        mine = Challenge.objects.live().filter(pk=self.pk, sends=self.sends)
        return mine.update(verified_at=Now(), user_id=user_id or self.user_id) == 1

    def reload(self) -> bool:
        """Read the row again; False when it went with its account, and the object stays as it was."""
        row = Challenge.objects.with_read_at().filter(pk=self.pk).first()
        if row is None:
            return False
        for field in self._meta.concrete_fields:
            setattr(self, field.attname, getattr(row, field.attname))
        self.read_at = row.read_at
        return True

    def cancel_others(self) -> None:
        """End every other attempt at the same identifier, whoever began it (REG-03, REG-06)."""
        Challenge.objects.filter(recipient=self.recipient).exclude(pk=self.pk).cancel_open()

    @property
    def _facts(self) -> tuple[str, ...]:
        return self.purpose, self.kind, self.recipient, str(self.pk)

    def _code(self, number: int) -> str:
        return codes.derive_code(bytes(self.seed), self.key_id, *self._facts, str(number))
