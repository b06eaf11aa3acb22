"""What every template knows."""

from django.conf import settings


def shop(request):
    """Name the shop."""
    return {"site_name": settings.SITE_NAME}
