"""The webhook that providers report delivery events to."""

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from messaging import webhooks


@method_decorator(csrf_exempt, "dispatch")
class ReceiptsView(View):
    """Receipts of one provider. Only machines read the responses: they are empty, and all refusals are the same."""

    http_method_names = ["post"]

    def post(self, request, provider_id):
        """Record the events. An unknown message is no fault: the provider would report it again and again."""
        if _is_sns_without_password(request):
            return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="receipts"'})
        try:
            webhooks.receive(provider_id, request)
        except webhooks.InvalidSignature as refusal:
            return self.refuse(refusal.provider)
        except webhooks.InvalidPayload:
            return HttpResponse(status=400)
        return HttpResponse()

    def refuse(self, provider):
        """Refuse a call in the name of `provider` (None when there is none); the project overrides this to count."""
        return HttpResponse(status=403)


def _is_sns_without_password(request):
    # Amazon SNS keeps its password back until it is asked. It is asked everywhere, so that this tells nothing of a row.
    return "x-amz-sns-message-type" in request.headers and "authorization" not in request.headers
