"""The site's addresses."""

from django.contrib import admin
from django.urls import include, path

from backoffice.dashboard.views import DashboardView
from backoffice.support.lookup import LookupView
from storefront import views
from storefront.webhooks import CountedReceiptsView

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("", include("accounts.urls")),
    path("", include("messaging.urls")),
    path("", include("api.urls")),
    path("receipts/<uuid:provider_id>/", CountedReceiptsView.as_view(), name="receipts"),
    path(
        "admin/lookup/",
        admin.site.admin_view(LookupView.as_view(admin_site=admin.site)),
        name="lookup",
    ),
    path("admin/signups/", admin.site.admin_view(DashboardView.as_view()), name="signups"),
    path("admin/", admin.site.urls),
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.server_error
