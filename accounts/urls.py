"""One URL, one intent."""

from django.urls import path

from accounts.views import account, contacts, registration

app_name = "accounts"

urlpatterns = [
    path("register/", registration.IdentifyView.as_view(), name="register"),
    path("register/verify/", registration.VerifyView.as_view(), name="register-verify"),
    path("register/resend/", registration.ResendView.as_view(), name="register-resend"),
    path("register/change/", registration.ChangeView.as_view(), name="register-change"),
    path("register/complete/", registration.CompleteView.as_view(), name="register-complete"),
    path("verify-email/", registration.LinkView.as_view(), name="verify-email"),
    path("account/", account.AccountView.as_view(), name="account"),
    path("account/contact/", contacts.ContactVerifyView.as_view(), name="contact-verify"),
    path("account/contact/resend/", contacts.ContactResendView.as_view(), name="contact-resend"),
    path("logout/", account.LogoutView.as_view(), name="logout"),
]
