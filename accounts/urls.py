"""One URL, one intent."""

from django.urls import path, re_path

from accounts.views import account, confirm, contacts, delivery, login, recovery, registration

app_name = "accounts"

CONTACT = "account/contacts/(?P<kind>email|phone)/"

urlpatterns = [
    path("register/", registration.IdentifyView.as_view(), name="register"),
    path("register/verify/", registration.VerifyView.as_view(), name="register-verify"),
    path(
        "register/verify/delivery/",
        delivery.RegisterDeliveryView.as_view(),
        name="register-delivery",
    ),
    path("register/resend/", registration.ResendView.as_view(), name="register-resend"),
    path("register/change/", registration.ChangeView.as_view(), name="register-change"),
    path("register/complete/", registration.CompleteView.as_view(), name="register-complete"),
    path("verify-email/", registration.LinkView.as_view(), name="verify-email"),
    path("login/", login.LoginView.as_view(), name="login"),
    path("login/code/", login.SendCodeView.as_view(), name="login-code"),
    path("login/code/verify/", login.LoginVerifyView.as_view(), name="login-code-verify"),
    path("login/code/resend/", login.LoginResendView.as_view(), name="login-code-resend"),
    path("logout/", account.LogoutView.as_view(), name="logout"),
    path("password-reset/", recovery.ResetView.as_view(), name="password-reset"),
    path(
        "password-reset/verify/",
        recovery.ResetVerifyView.as_view(),
        name="password-reset-verify",
    ),
    path(
        "password-reset/resend/",
        recovery.ResetResendView.as_view(),
        name="password-reset-resend",
    ),
    path("password-reset/new/", recovery.NewPasswordView.as_view(), name="password-reset-new"),
    path("not-me/", recovery.NotMeView.as_view(), name="not-me"),
    path("account/", account.AccountView.as_view(), name="account"),
    path("account/confirm/", confirm.ConfirmView.as_view(), name="confirm"),
    path("account/confirm/code/", confirm.ConfirmCodeView.as_view(), name="confirm-code"),
    path("account/confirm/verify/", confirm.ConfirmVerifyView.as_view(), name="confirm-verify"),
    path(
        "account/confirm/verify/delivery/",
        delivery.ConfirmDeliveryView.as_view(),
        name="confirm-delivery",
    ),
    path("account/confirm/resend/", confirm.ConfirmResendView.as_view(), name="confirm-resend"),
    path("account/names/", account.NamesView.as_view(), name="names"),
    path("account/password/", account.PasswordView.as_view(), name="password"),
    path("account/contact/", contacts.ContactVerifyView.as_view(), name="contact-verify"),
    path(
        "account/contact/delivery/",
        delivery.ContactDeliveryView.as_view(),
        name="contact-delivery",
    ),
    path("account/contact/resend/", contacts.ContactResendView.as_view(), name="contact-resend"),
    re_path(rf"^{CONTACT}$", contacts.ContactView.as_view(), name="contact"),
    re_path(rf"^{CONTACT}remove/$", contacts.ContactRemoveView.as_view(), name="contact-remove"),
    re_path(rf"^{CONTACT}primary/$", contacts.ContactPrimaryView.as_view(), name="contact-primary"),
    path("account/devices/", account.DevicesView.as_view(), name="devices"),
    path(
        "account/devices/sign-out/",
        account.DeviceSignOutView.as_view(),
        name="devices-sign-out",
    ),
    path(
        "account/devices/<slug:name>/sign-out/",
        account.DeviceSignOutView.as_view(),
        name="device-sign-out",
    ),
    path("account/activity/", account.ActivityView.as_view(), name="activity"),
    path("account/download/", account.DownloadView.as_view(), name="download"),
    path("account/delete/", account.DeleteView.as_view(), name="delete"),
]
