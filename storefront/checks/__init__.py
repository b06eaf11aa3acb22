"""What the site must not start with. Each check says what is wrong and what to set; its module is its subject."""

from storefront.checks import keys, messages, networks, production, values
from storefront.checks.startup import TAG, refuse_unsafe_start

__all__ = ["TAG", "keys", "messages", "networks", "production", "refuse_unsafe_start", "values"]
