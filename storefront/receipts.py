"""Where providers' receipts arrive, and those are counted who forge them: messaging does not know households."""

from django.http import HttpResponse

from accounts import origin
from accounts.errors import TooOften
from accounts.flows import watch
from accounts.views.base import headers_of
from messaging.views.receipts import ReceiptsView


class CountedReceiptsView(ReceiptsView):
    """Receipts of one provider. What is proved passes, whoever guesses beside it."""

    def refuse(self, provider):
        """Count it, and after too many say so. Nothing but that tells one refusal from another."""
        try:
            watch.forged_receipt(provider, origin=origin.of(self.request))
        except TooOften as refusal:
            return HttpResponse(status=refusal.status, headers=headers_of(refusal))
        return super().refuse(provider)
