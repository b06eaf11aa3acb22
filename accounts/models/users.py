"""Who a shopper is: the row of a person, how people are found, and the usernames they gave up."""

import uuid
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Lower, Now
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from accounts import characters, conf, identifiers
from accounts.identifiers import EMAIL, PHONE, USERNAME, Identifier


class UserManager(BaseUserManager["User"]):
    """Finds people by what they verified, and makes staff."""

    def for_identifier(self, identifier: Identifier) -> models.QuerySet["User"]:
        """Narrow to the one user who verified `identifier`; exact on the canonical key (IDN-02)."""
        column = {EMAIL: "email_key", PHONE: "phone", USERNAME: "username"}[identifier.kind]
        return self.filter(**{column: identifier.key})

    def shoppers(self, identifier: Identifier | None = None) -> models.QuerySet["User"]:
        """Whom the doors of the shop know, all of them or the one who verified `identifier`.

        For the shop a staff account does not exist (ADM-04).
        """
        people = self.for_identifier(identifier) if identifier else self.all()
        return people.filter(is_staff=False)

    def register(self, identifier: Identifier, **profile: object) -> "User":
        """Insert the user who has just verified `identifier`, in the caller's transaction.

        Raises IntegrityError when a key is taken, or the username is kept for somebody.
        """
        columns = User.verified_columns(identifier) | {
            "primary": identifier.kind,
            "last_login": Now(),
        }
        user = self.model(**columns, **profile)
        if not user.password:
            user.set_unusable_password()
        user.save(force_insert=True)
        user.signed_in_at = user.date_joined
        for name, value in (columns | profile).items():
            if isinstance(value, Now):
                # One statement is one moment: the object says what its row does, without reading it.
                setattr(user, name, user.date_joined)
        if user.username:
            FormerUsername.objects.refuse_held(user.pk, user.username)
        return user

    def is_username_taken(self, username: str, *, by: "User | None" = None) -> bool:
        """Whether the name, in large or small letters, is that of anybody but `by`, or kept for them."""
        # Usernames are in small letters, by a constraint.
        own, name = by.pk if by else uuid.UUID(int=0), username.casefold()
        taken = self.filter(username=name).exclude(pk=own)
        kept = FormerUsername.objects.held().filter(username=name).exclude(user_id=own)
        return taken.exists() or kept.exists()

    def remove_contact(self, pk: uuid.UUID, kind: str) -> bool:
        """Take the contact of `kind` off the user, or return False when it is the only one (REC-08)."""
        other = PHONE if kind == EMAIL else EMAIL
        having_other = self.filter(pk=pk, **{f"{other}__isnull": False})
        return having_other.update(primary=other, **User.removed_columns(kind)) == 1

    def create_superuser(self, username: str, password: str, **fields: object) -> "User":
        """Make a member of staff who may do everything; for the command of the same name.

        The username is taken in its canonical spelling. Raises InvalidIdentifier, and IntegrityError when it is
        somebody's or held for somebody.
        """
        name = identifiers.normalize_username(username)
        staff = {"is_staff": True, "is_superuser": True, "completed_at": Now()}
        user = self.model(username=name, **staff, **fields)
        user.set_password(password)
        with transaction.atomic():
            user.save(force_insert=True)
            FormerUsername.objects.refuse_held(user.pk, name)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Email and phone are here only once they are verified; each is unique on its canonical key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=conf.NAME_MAX, blank=True)
    username = models.CharField(
        _("username"), max_length=conf.USERNAME_MAX, unique=True, null=True, blank=True
    )
    email = models.EmailField(_("email address"), max_length=conf.EMAIL_MAX, null=True, blank=True)
    email_key = models.CharField(max_length=conf.EMAIL_MAX, unique=True, null=True, editable=False)
    email_verified_at = models.DateTimeField(_("email confirmed"), null=True, editable=False)
    phone = models.CharField(_("mobile number"), max_length=16, unique=True, null=True, blank=True)
    phone_verified_at = models.DateTimeField(
        _("mobile number confirmed"), null=True, editable=False
    )
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
    # When they came in, by the database's clock, where a statement has told it just now.
    signed_in_at: datetime | None = None

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
                    email__isnull=False, email_key__isnull=False, email_verified_at__isnull=False
                ),
                name="user_email_only_when_verified",
            ),
            models.CheckConstraint(
                condition=models.Q(phone__isnull=True) | models.Q(phone_verified_at__isnull=False),
                name="user_phone_only_when_verified",
            ),
            # No two accounts are told apart by large and small letters alone (IDN-06).
            models.CheckConstraint(
                condition=models.Q(username=Lower("username")),
                name="user_username_in_small_letters",
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
        return characters.isolated(self.name) or self.username or str(self.pk)

    def set_password(self, raw_password: str | None) -> None:
        """Hash the password in its one spelling, at Django's own doors too: its commands come this way (IDN-10)."""
        super().set_password(raw_password and characters.opaque(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        """Compare the password in its one spelling; Django's backend comes this way."""
        return super().check_password(raw_password and characters.opaque(raw_password))

    def is_session_auth_hash(self, kept: str) -> bool:
        """Whether a session that keeps this hash began with today's password: a new one ends those before it."""
        hashes = [self.get_session_auth_hash(), *self.get_session_auth_fallback_hash()]
        return any(constant_time_compare(kept, each) for each in hashes)

    @staticmethod
    def verified_columns(identifier: Identifier) -> dict[str, object]:
        """The columns that say `identifier` was verified just now."""
        if identifier.kind == PHONE:
            return {"phone": identifier.key, "phone_verified_at": Now()}
        return {
            "email": identifier.address,
            "email_key": identifier.key,
            "email_verified_at": Now(),
        }

    @staticmethod
    def removed_columns(kind: str) -> dict[str, object]:
        """The columns that say a contact of `kind` is no more."""
        if kind == PHONE:
            return {"phone": None, "phone_verified_at": None}
        return {"email": None, "email_key": None, "email_verified_at": None}

    @property
    def contacts(self) -> list[Identifier]:
        """The verified contacts, the one that messages go to first."""
        both = [self.get_contact(EMAIL), self.get_contact(PHONE)]
        verified = [contact for contact in both if contact]
        return sorted(verified, key=lambda contact: contact.kind != self.primary)

    def get_contact(self, kind: str) -> Identifier | None:
        """The verified contact of `kind`, or None."""
        if kind == PHONE:
            return Identifier(PHONE, self.phone, self.phone) if self.phone else None
        return Identifier(EMAIL, self.email_key or "", self.email) if self.email else None

    @property
    def reference(self) -> str:
        """A name for the account that may stand on its owner's pages."""
        return identifiers.fingerprint(f"account {self.pk}")[:16]

    @property
    def identifier(self) -> str:
        """What the person signs in with, to show to the person alone."""
        return self.contacts[0].address if self.contacts else self.username or ""


class FormerUsernameQuerySet(models.QuerySet["FormerUsername"]):
    """Names that were given up."""

    def held(self):
        """Those that a notice may still bring back."""
        return self.filter(given_up_at__gt=Now() - conf.NOT_ME_TTL)

    def refuse_held(self, pk: uuid.UUID, username: str) -> None:
        """Raise IntegrityError, as a taken name does, when `username`, which the user `pk` took, is kept for another.

        Asked after it was written, in the same transaction: the unique key of usernames makes whoever takes a name
        wait until it is given up, and the row of that stands by then.
        """
        if self.held().filter(username=username).exclude(user_id=pk).exists():
            raise IntegrityError("The username is kept for somebody who had it.")


class FormerUsername(models.Model):
    """What a user's username was until then, null for none: kept for them for as long as "not me" may bring it back."""

    user = models.ForeignKey(User, models.CASCADE, related_name="former_usernames")
    username = models.CharField(max_length=conf.USERNAME_MAX, null=True, db_index=True)
    given_up_at = models.DateTimeField(db_default=Now(), db_index=True)

    objects = FormerUsernameQuerySet.as_manager()

    def __str__(self):
        return self.username or ""
