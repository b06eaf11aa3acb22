"""docs/FRONTEND_INTEGRATION.md: how a client is written."""

from api.dialects_v2 import V2
from api.papers.page import fill
from api.papers.reference import NUMBERS

# The space that the examples call.
SPACE = V2


def make() -> str:
    """The page."""
    return fill(
        "frontend_integration.md",
        space=f"/{SPACE.prefix}",
        document=f"/{SPACE.prefix.removesuffix('auth/')}openapi.json",
        numbers=NUMBERS,
    )
