"""People, challenges, sessions and events, as staff see them: windows without codes, seeds or full addresses."""

from accounts.admin.challenges import ChallengeAdmin
from accounts.admin.events import SecurityEventAdmin
from accounts.admin.roles import RoleAdmin
from accounts.admin.texts import TextCountryAdmin
from accounts.admin.users import UserAdmin

__all__ = ["ChallengeAdmin", "RoleAdmin", "SecurityEventAdmin", "TextCountryAdmin", "UserAdmin"]
