"""The addresses that belong to messages; that of receipts is the project's, which counts who forges them."""

from django.conf import settings
from django.urls import path

from messaging.views import MailboxHtmlView, MailboxView

urlpatterns = []

if settings.MAILBOX:
    urlpatterns += [
        path("mailbox/", MailboxView.as_view(), name="mailbox"),
        path("mailbox/<str:message_id>/html/", MailboxHtmlView.as_view(), name="mailbox-html"),
    ]
