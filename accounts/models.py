"""The rows: who a shopper is, what waits for proof, what was counted, what happened. One-row rules and constraints."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Case, ExpressionWrapper, F, Value, When
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts import codes, conf
from accounts.identifiers import EMAIL, PHONE, USERNAME, Identifier, fingerprint
from accounts.sessions.client import Origin
from accounts.sessions.store import Session

__all__ = [
    "ANYBODY",
    "Bucket",
    "Challenge",
    "FormerUsername",
    "Pool",
    "Purpose",
    "RefusalCount",
    "SecurityEvent",
    "Session",
    "TextCountry",
    "User",
]


class UserManager(BaseUserManager["User"]):
    """Finds people by what they proved, and makes staff."""

    def for_identifier(self, identifier: Identifier) -> models.QuerySet["User"]:
        """Narrow to the one user who proved `identifier`; exact on the canonical key (IDN-02)."""
        column = {EMAIL: "email_key", PHONE: "phone", USERNAME: "username"}[identifier.kind]
        return self.filter(**{column: identifier.key})

    def shoppers(self, identifier: Identifier | None = None) -> models.QuerySet["User"]:
        """Whom the doors of the shop know, all of them or the one who proved `identifier`.

        For the shop a staff account does not exist (ADM-04).
        """
        people = self.for_identifier(identifier) if identifier else self.all()
        return people.filter(is_staff=False)

    def register(self, identifier: Identifier, **profile: object) -> "User":
        """Insert the user who has just proved `identifier`, in the caller's transaction.

        Raises IntegrityError when a key is taken, or the username is kept for somebody.
        """
        columns = User.proven(identifier) | {"primary": identifier.kind, "last_login": Now()}
        user = self.model(**columns, **profile)
        if not user.password:
            user.set_unusable_password()
        user.save(force_insert=True)
        if user.username:
            FormerUsername.objects.keep_from(user.pk, user.username)
        return user

    def has_username(self, username: str, *, by: "User | None" = None) -> bool:
        """Whether the name is that of anybody but `by`, or kept for them."""
        own = by.pk if by else uuid.UUID(int=0)
        taken = self.filter(username=username).exclude(pk=own)
        kept = FormerUsername.objects.kept().filter(username=username).exclude(user_id=own)
        return taken.exists() or kept.exists()

    def drop_contact(self, pk: uuid.UUID, kind: str) -> bool:
        """Take the contact of `kind` off the user, or return False when it is the only one (REC-08)."""
        other = PHONE if kind == EMAIL else EMAIL
        having_other = self.filter(pk=pk, **{f"{other}__isnull": False})
        return having_other.update(primary=other, **User.without(kind)) == 1

    def create_superuser(self, username: str, password: str, **fields: object) -> "User":
        """Make a member of staff who may do everything; for the command of the same name."""
        staff = {"is_staff": True, "is_superuser": True, "completed_at": Now()}
        user = self.model(username=username, **staff, **fields)
        user.set_password(password)
        user.save(force_insert=True)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Email and phone are here only once they are proven; each is unique on its canonical key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=conf.NAME_MAX, blank=True)
    username = models.CharField(
        _("username"), max_length=conf.USERNAME_MAX, unique=True, null=True, blank=True
    )
    email = models.EmailField(_("email address"), max_length=conf.EMAIL_MAX, null=True, blank=True)
    email_key = models.CharField(max_length=conf.EMAIL_MAX, unique=True, null=True, editable=False)
    email_proved_at = models.DateTimeField(_("email confirmed"), null=True, editable=False)
    phone = models.CharField(_("mobile number"), max_length=16, unique=True, null=True, blank=True)
    phone_proved_at = models.DateTimeField(_("mobile number confirmed"), null=True, editable=False)
    primary = models.CharField(
        _("messages go to"),
        max_length=8,
        choices=[(EMAIL, _("email")), (PHONE, _("text message"))],
        default=EMAIL,
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("staff"), default=False)
    date_joined = models.DateTimeField(_("joined"), db_default=Now(), editable=False)
    completed_at = models.DateTimeField(_("profile completed"), null=True, editable=False)
    deletion_due_at = models.DateTimeField(_("will be deleted"), null=True, editable=False)

    objects = UserManager()

    # The hash that a new one has just replaced: what was bound to it moves on to the new one.
    former_password = ""

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = [
            ("support_user", _("May help a user: recovery, sessions, locks")),
            ("deactivate_user", _("May deactivate and reactivate a user")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email__isnull=True, email_key__isnull=True)
                | models.Q(
                    email__isnull=False, email_key__isnull=False, email_proved_at__isnull=False
                ),
                name="user_email_only_when_proven",
            ),
            models.CheckConstraint(
                condition=models.Q(phone__isnull=True) | models.Q(phone_proved_at__isnull=False),
                name="user_phone_only_when_proven",
            ),
        ]
        indexes = [
            models.Index(
                fields=["deletion_due_at"],
                name="user_deletion_due",
                condition=models.Q(deletion_due_at__isnull=False),
            )
        ]

    def __str__(self):
        return self.name or self.username or str(self.pk)

    @staticmethod
    def proven(identifier: Identifier) -> dict[str, object]:
        """The columns that say `identifier` was proven just now."""
        if identifier.kind == PHONE:
            return {"phone": identifier.key, "phone_proved_at": Now()}
        return {"email": identifier.address, "email_key": identifier.key, "email_proved_at": Now()}

    @staticmethod
    def without(kind: str) -> dict[str, object]:
        """The columns that say a contact of `kind` is no more."""
        if kind == PHONE:
            return {"phone": None, "phone_proved_at": None}
        return {"email": None, "email_key": None, "email_proved_at": None}

    @property
    def contacts(self) -> list[Identifier]:
        """The proven contacts, the one that messages go to first."""
        both = [self.contact(EMAIL), self.contact(PHONE)]
        proven = [contact for contact in both if contact]
        return sorted(proven, key=lambda contact: contact.kind != self.primary)

    def contact(self, kind: str) -> Identifier | None:
        """The proven contact of `kind`, or None."""
        if kind == PHONE:
            return Identifier(PHONE, self.phone, self.phone) if self.phone else None
        return Identifier(EMAIL, self.email_key or "", self.email) if self.email else None

    @property
    def identifier(self) -> str:
        """What the person signs in with, to show to the person alone."""
        return self.contacts[0].address if self.contacts else self.username or ""


class FormerUsernameQuerySet(models.QuerySet["FormerUsername"]):
    """Names that were given up."""

    def kept(self):
        """Those that a notice may still bring back."""
        return self.filter(given_up_at__gt=Now() - conf.NOT_ME_TTL)

    def keep_from(self, pk: uuid.UUID, username: str) -> None:
        """Raise IntegrityError, as a taken name does, when `username`, which the user `pk` took, is kept for another.

        Asked after it was written, in the same transaction: the unique key of usernames makes whoever takes a name
        wait until it is given up, and the row of that stands by then.
        """
        if self.kept().filter(username=username).exclude(user_id=pk).exists():
            raise IntegrityError("The username is kept for somebody who had it.")


class FormerUsername(models.Model):
    """What a user's username was until then, null for none: kept for them for as long as "not me" may bring it back."""

    user = models.ForeignKey(User, models.CASCADE, related_name="former_usernames")
    username = models.CharField(max_length=conf.USERNAME_MAX, null=True, db_index=True)
    given_up_at = models.DateTimeField(db_default=Now(), db_index=True)

    objects = FormerUsernameQuerySet.as_manager()

    def __str__(self):
        return self.username or ""


class Purpose(models.TextChoices):
    """What a proof is good for; a code of one purpose is no code of another (COD-08)."""

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
ANYBODY = (Purpose.LOGIN, Purpose.RESET)


class Pool(models.TextChoices):
    """Who asks, as far as the request alone tells: so what a limit answers says nothing of any account (ABU-08).

    A new contact is as unproven as an address at registration, whoever is signed in: it is nobody's own yet.
    """

    SIGN_UP = "sign-up", _("sign-ups and new contacts")
    RETURN = "return", _("sign-in and recovery in other browsers")
    OWNER = "owner", _("trusted browsers, signed-in owners and staff who help them")
    STAFF = "staff", _("codes of the staff pages")


# Who asks, unless the request tells that it is the owner.
POOLS = {
    Purpose.REGISTER: Pool.SIGN_UP,
    Purpose.CONTACT: Pool.SIGN_UP,
    Purpose.LOGIN: Pool.RETURN,
    Purpose.RESET: Pool.RETURN,
    Purpose.CONFIRM: Pool.OWNER,
    Purpose.NOT_ME: Pool.OWNER,
    Purpose.STAFF: Pool.STAFF,
    Purpose.STAFF_CHANGE: Pool.STAFF,
    Purpose.STAFF_CONTACT: Pool.STAFF,
}


class ChallengeQuerySet(models.QuerySet["Challenge"]):
    """Challenges by the state the database's own clock gives them."""

    def live(self):
        """Attempts that still stand: neither proven nor closed, and young enough for their link."""
        return self.filter(proved_at=None, closed_at=None, link_expires_at__gt=Now())

    def open(self):
        """Attempts whose newest code may be typed."""
        return self.live().filter(tries_left__gt=0, expires_at__gt=Now())

    def withdraw(self) -> int:
        """End every attempt that stands, but the notices: whoever got one may still say "not me" (REG-05)."""
        return self.exclude(purpose=Purpose.NOT_ME).end()

    def end(self) -> int:
        """End every attempt that stands, the links of notices among them."""
        return self.filter(proved_at=None, closed_at=None).update(closed_at=Now())

    def by_link(self, token: str) -> "Challenge | None":
        """The row whose emailed link carries `token`, with what is left of its life as `link_life`, or None."""
        left = ExpressionWrapper(F("link_expires_at") - Now(), models.DurationField())
        row = self.filter(pk=codes.token_row(token)).annotate(link_life=left).first()
        return row if row and codes.same(row.link_token, token) else None


class Challenge(models.Model):
    """One attempt to prove one identifier. Its codes and its link are derived from the seed and stand nowhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose)
    kind = models.CharField(
        _("channel"), max_length=8, choices=[(EMAIL, _("email")), (PHONE, _("text message"))]
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
    proved_at = models.DateTimeField(_("proved"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)

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
        """The identifier this attempt proves."""
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
        return codes.token(self.pk, bytes(self.seed), self.key_id, *self._facts)

    @property
    def link_name(self) -> str:
        """A name for the emailed link that may stand on a page: it opens nothing without the browser's cookie."""
        return fingerprint(f"link {self.pk}")[:16]

    @property
    def resend_at(self):
        """When the cool-down after the newest code ends."""
        return self.sent_at + conf.CODE_RESEND_COOLDOWN

    @property
    def is_waiting(self) -> bool:
        """Whether a code is on its way that nobody need send again: fresh, with tries left."""
        return (
            not (self.proved_at or self.closed_at)
            and self.tries_left > 0
            and self.resend_at > now()
        )

    @property
    def is_decoy(self) -> bool:
        """Whether it was begun for an address without an account: it looks like any other, and no code is right."""
        return self.user_id is None and self.purpose in ANYBODY

    @property
    def is_of_staff(self) -> bool:
        """Whether the staff pages began it, and not the shop."""
        return self.pool == Pool.STAFF

    @property
    def is_by_link(self) -> bool:
        """Whether a link alone is sent, and no code: 144 bits rather than six digits open an account."""
        # By text only when staff send it: no browser holds the attempt, so nobody could type a code.
        return self.purpose == Purpose.RESET and (self.kind == EMAIL or not self.sends)

    def accepts(self, typed: str) -> bool:
        """Whether `typed` is the newest code. None is right where only a link was sent, or nothing."""
        return codes.same(typed, self.code) and not (self.is_decoy or self.is_by_link)

    def recalls(self, typed: str) -> bool:
        """Whether `typed` is a code of this attempt that a newer one replaced."""
        return any(codes.same(typed, self._code(number)) for number in range(1, self.sends))

    def spend_try(self) -> bool:
        """Take one try, or return False when the code is closed (COD-06)."""
        # The WHERE clause is the lock: a hundred requests at once take five tries, not six.
        taken = Challenge.objects.open().filter(pk=self.pk).update(tries_left=F("tries_left") - 1)
        return taken == 1

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

    def close(self) -> bool:
        """Withdraw the attempt, or return False when it is over already."""
        return (
            Challenge.objects.filter(pk=self.pk, proved_at=None, closed_at=None).update(
                closed_at=Now()
            )
            == 1
        )

    def prove(self, user_id: uuid.UUID | None = None) -> bool:
        """Use the attempt up for `user_id`, or return False when somebody was first (COD-05)."""
        # With the send counter: a resend that overtook this request has killed the code it brought.
        mine = Challenge.objects.live().filter(pk=self.pk, sends=self.sends)
        return mine.update(proved_at=Now(), user_id=user_id or self.user_id) == 1

    def reload(self) -> bool:
        """Read the row again; False when it went with its account, and the object stays as it was."""
        try:
            self.refresh_from_db()
        except Challenge.DoesNotExist:
            return False
        return True

    def close_others(self) -> None:
        """End every other attempt at the same identifier, whoever began it (REG-03, REG-06)."""
        Challenge.objects.filter(recipient=self.recipient).exclude(pk=self.pk).withdraw()

    @property
    def _facts(self) -> tuple[str, ...]:
        return self.purpose, self.kind, self.recipient, str(self.pk)

    def _code(self, number: int) -> str:
        return codes.code(bytes(self.seed), self.key_id, *self._facts, str(number))


class Bucket(models.Model):
    """One limit for one subject: the moments of its newest hits, 13 digits (milliseconds) each."""

    key = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(_("limit"), max_length=40)
    size = models.PositiveIntegerField(_("hits allowed"))
    period = models.PositiveIntegerField(_("in seconds"))
    hits = models.TextField(blank=True)
    # When its newest hit is older than the period: from then on an empty row says the same as none.
    expires_at = models.DateTimeField(_("holds nobody up from"), db_index=True)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")

    def __str__(self):
        return f"{self.name} {self.key[:8]}"


# The minute it is, by the database's clock, as the column keeps it.
THIS_MINUTE = {
    "postgresql": "date_trunc('minute', clock_timestamp())",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:00', 'now')",
}
# For this statement alone PostgreSQL does not wait for its disk: a flood shares one row, and each request would wait
# for the disk of all before it. A crash may forget the refusals of its last second.
AT_ONCE = {
    "postgresql": "set_config('synchronous_commit', 'off', true) = 'off'",
    "sqlite": "true",
}
ONE_MORE = """
INSERT INTO accounts_refusalcount AS kept (minute, kind, channel, country, number)
SELECT {minute}, %s, %s, %s, 1 WHERE {at_once}
ON CONFLICT (minute, kind, channel, country) DO UPDATE SET number = kept.number + 1
"""


class RefusalCountManager(models.Manager["RefusalCount"]):
    """Counts refusals."""

    def add(self, kind: str, *, channel: str = "", country: str = "") -> None:
        """Count one more, in one statement, never in a transaction that matters."""
        vendor = connection.vendor
        statement = ONE_MORE.format(minute=THIS_MINUTE[vendor], at_once=AT_ONCE[vendor])
        with connection.cursor() as cursor:
            cursor.execute(statement, [kind, channel, country])


class RefusalCount(models.Model):
    """How often something was refused within one minute: a flood of refusals is a number and not a flood of rows."""

    minute = models.DateTimeField(_("minute"))
    kind = models.CharField(_("what"), max_length=40)
    channel = models.CharField(_("channel"), max_length=8, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    number = models.PositiveIntegerField(_("number"))

    objects = RefusalCountManager()

    class Meta:
        verbose_name = _("count of refusals")
        verbose_name_plural = _("counts of refusals")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "kind", "channel", "country"], name="refusals_counted_once"
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.minute:%Y-%m-%d %H:%M}"


EVERYWHERE = "*"
DAY = timedelta(days=1)
NUMBER = models.PositiveIntegerField()


class TextCountryQuerySet(models.QuerySet["TextCountry"]):
    """What is decided about countries."""

    def judge(self) -> int:
        """Close those from which hardly any code comes back, to sign-ups alone and for a day (ABU-05)."""
        return (
            self.filter(TextCountry.SUSPICIOUS, is_open=True)
            .exclude(TextCountry.PAUSED)
            .update(closed_until=Now() + DAY)
        )

    def close(self) -> int:
        """Send no texts there to any shopper, until staff open it."""
        return self.update(is_open=False, reason=_("closed by staff"))

    def open(self) -> int:
        """Send texts again, sign-ups too, and begin to count anew."""
        anew = {"sent": 0, "proved": 0, "since": Now()}
        return self.update(is_open=True, reason="", closed_until=None, **anew)

    def with_state(self) -> "TextCountryQuerySet":
        """Each with `is_paused`: whether it has closed itself to sign-ups, by the database's clock."""
        paused = Case(When(TextCountry.PAUSED, then=True), default=False)
        return self.annotate(is_paused=paused)


class TextCountry(models.Model):
    """One country, or EVERYWHERE, as far as texts go: its switch, and how many codes of sign-ups came back in a day."""

    code = models.CharField(_("country"), max_length=2, primary_key=True)
    # The switch of staff, for all shoppers.
    is_open = models.BooleanField(_("texts are sent"), default=True)
    reason = models.CharField(_("closed because"), max_length=80, blank=True)
    # Closed by itself, for sign-ups alone.
    closed_until = models.DateTimeField(_("no sign-ups until"), null=True)
    sent = models.PositiveIntegerField(_("codes sent to sign-ups"), default=0)
    proved = models.PositiveIntegerField(_("codes that came back"), default=0)
    since = models.DateTimeField(_("counted since"), db_default=Now())

    OF_ANOTHER_DAY = models.Q(since__lte=Now() - DAY)
    SUSPICIOUS = ~OF_ANOTHER_DAY & models.Q(
        sent__gte=conf.TEXTS_BEFORE_JUDGING, sent__gt=F("proved") * 10
    )
    PAUSED = models.Q(closed_until__isnull=False, closed_until__gt=Now())

    # Told by with_state().
    is_paused = False

    objects = TextCountryQuerySet.as_manager()

    class Meta:
        verbose_name = _("country")
        verbose_name_plural = _("countries we text")

    def __str__(self):
        return str(_("everywhere")) if self.pk == EVERYWHERE else self.code

    @property
    def share(self):
        """How many of a hundred codes came back, or None before any was sent."""
        return round(100 * self.proved / self.sent) if self.sent else None

    def is_stopped(self) -> bool:
        """Whether staff stopped texts to all shoppers, here or everywhere."""
        switches = TextCountry.objects.filter(code__in=[self.code, EVERYWHERE])
        return switches.filter(is_open=False).exists()

    def count_sign_up(self) -> bool:
        """Count one more code to a sign-up, or return False when none is sent here or everywhere.

        From TEXTS_BEFORE_JUDGING codes a day on, one in ten must have come back (ABU-05).
        """
        everywhere = TextCountry.objects.filter(code=EVERYWHERE, is_open=False)
        here = TextCountry.objects.filter(~models.Exists(everywhere), code=self.code, is_open=True)
        anew = When(TextCountry.OF_ANOTHER_DAY, then=Value(0))
        counted = here.exclude(TextCountry.PAUSED | TextCountry.SUSPICIOUS).update(
            sent=Case(anew, default=F("sent"), output_field=NUMBER) + 1,
            proved=Case(anew, default=F("proved"), output_field=NUMBER),
            since=Case(When(TextCountry.OF_ANOTHER_DAY, then=Now()), default=F("since")),
        )
        return counted == 1

    def count_proof(self) -> None:
        """Count a code that came back."""
        TextCountry.objects.filter(code=self.code).update(proved=F("proved") + 1)


# What an event is called where people read it; kinds that name no event of an account are not listed.
EVENT_WORDS = {
    "registered": _("You created the account"),
    "profile_completed": _("You completed your profile"),
    "profile_changed": _("Your names were changed"),
    "username_changed": _("Your username was changed"),
    "signed_in": _("Sign-in"),
    "signed_out": _("Sign-out"),
    "new_device": _("The browser was new to us"),
    "sign_in_failed": _("Somebody tried a wrong password"),
    "password_locked": _("Too many wrong passwords: paused for a while"),
    "code_sent": _("A code was sent"),
    "code_wrong": _("A wrong code was typed"),
    "code_used_up": _("A code was tried too often"),
    "code_replay": _("A used code was typed again"),
    "confirmed": _("You confirmed that it is you"),
    "password_set": _("A password was added"),
    "password_changed": _("Your password was changed"),
    "password_reset": _("A new password was chosen through a message"),
    "contact_added": _("A contact was added"),
    "contact_changed": _("A contact was replaced"),
    "contact_removed": _("A contact was removed"),
    "contact_restored": _("A contact is back through a notice"),
    "primary_changed": _("Messages go to another contact"),
    "device_signed_out": _("A device was signed out"),
    "devices_signed_out": _("All other devices were signed out"),
    "disowned": _("Somebody said: this was not me"),
    "data_downloaded": _("Your data was downloaded"),
    "deletion_asked": _("Deletion of the account was asked for"),
    "deletion_undone": _("Deletion of the account was undone"),
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
    channel = models.CharField(_("channel"), max_length=8, blank=True)
    # Of a mobile number: the board counts by it.
    country = models.CharField(_("country"), max_length=2, blank=True, db_default="")
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    agent = models.CharField(_("browser"), max_length=200, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    # Which member of staff acted, or had the account that whoever runs the site changed; it says so when that account
    # is long erased (LOG-01).
    actor = models.CharField(
        _("staff member (keyed hash)"), max_length=40, blank=True, db_default=""
    )
    # Which row staff looked at or changed: its kind and its id, never what it holds.
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
        """What happened, for the person it happened to."""
        return EVENT_WORDS.get(self.kind, self.kind.replace("_", " "))

    @property
    def device(self):
        """The browser in words of ours."""
        return Origin(agent=self.agent).device
