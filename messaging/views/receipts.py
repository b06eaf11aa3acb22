"""Where providers tell us what became of a message. Only what they signed is believed."""

from django.core.exceptions import PermissionDenied
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View


@method_decorator(csrf_exempt, "dispatch")
class ReceiptsView(View):
    """Receipts of one provider."""

    def post(self, request, provider_id):
        """Take them in."""
        raise PermissionDenied
