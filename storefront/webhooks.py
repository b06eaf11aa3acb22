"""Where providers' receipts arrive, and those are counted who forge them: messaging does not know households."""

from django.http import HttpResponse

from accounts.errors import TooOften
from accounts.sessions.client import client_info
from backoffice import burst_alerts
from messaging.webhooks.views import ReceiptsView


class CountedReceiptsView(ReceiptsView):
    """Receipts of one provider. What is proved passes, whoever guesses beside it."""

    def refuse(self, provider):
        """Count it, and after too many say so. Nothing but that tells one refusal from another."""
        try:
            burst_alerts.forged_receipt(provider, client=client_info(self.request))
        except TooOften as refusal:
            return HttpResponse(status=refusal.status, headers=refusal.headers)
        return super().refuse(provider)
