"""The addresses that belong to messages."""

from django.conf import settings
from django.urls import path

from messaging.views.mailbox import MailboxHtmlView, MailboxView
from messaging.views.receipts import ReceiptsView

urlpatterns = [
    path("receipts/<uuid:provider_id>/", ReceiptsView.as_view(), name="receipts"),
]

if settings.MAILBOX:
    urlpatterns += [
        path("mailbox/", MailboxView.as_view(), name="mailbox"),
        path("mailbox/<str:message_id>/html/", MailboxHtmlView.as_view(), name="mailbox-html"),
    ]
