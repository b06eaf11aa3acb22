"""Where providers tell us what became of a message. Only what they signed is believed."""

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from messaging import webhooks


@method_decorator(csrf_exempt, "dispatch")
class ReceiptsView(View):
    """Receipts of one provider. Nobody reads the answers but machines: they are empty, and all refusals are one."""

    http_method_names = ["post"]

    def post(self, request, provider_id):
        """Take them in. A message we do not know is no fault: it would be told again and again."""
        if _is_sns_asking(request):
            return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="receipts"'})
        try:
            webhooks.receive(provider_id, request)
        except webhooks.Unproved as refusal:
            return self.refuse(refusal.provider)
        except webhooks.Unreadable:
            return HttpResponse(status=400)
        return HttpResponse()

    def refuse(self, provider):
        """Answer whoever could not prove to be `provider` (None when we know none); the project counts them here."""
        return HttpResponse(status=403)


def _is_sns_asking(request):
    # Amazon SNS keeps its password back until it is asked. It is asked everywhere, so that this tells nothing of a row.
    return "x-amz-sns-message-type" in request.headers and "authorization" not in request.headers
