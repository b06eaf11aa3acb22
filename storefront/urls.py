"""The site's addresses."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from messaging.views import MailboxHtmlView, MailboxView
from storefront import views

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("", include("accounts.urls")),
    path("livez", views.alive, name="livez"),
    path("admin/", admin.site.urls),
]

if settings.MAILBOX:
    urlpatterns += [
        path("mailbox/", MailboxView.as_view(), name="mailbox"),
        path("mailbox/<str:message_id>/html/", MailboxHtmlView.as_view(), name="mailbox-html"),
    ]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.server_error
