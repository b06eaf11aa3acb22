"""The shop without pages: an app that speaks JSON, so that somebody has an account before a test begins."""

from tests.browser.pages import PASSWORD

JSON = {"Accept": "application/json"}


class App:
    """One client of the site; `cookies` tells which it has."""

    def __init__(self, http, cookies, mailbox):
        self._http, self._cookies, self._mailbox = http, cookies, mailbox

    def asks_for_code(self, who):
        """Begin an account."""
        self._http.get("/register/")
        self._send("/register/", identifier=who)

    def signs_up(self, who, name="Ana"):
        """Make the account: address, code, profile."""
        self.asks_for_code(who)
        self._send("/register/verify/", code=self._mailbox.code(who))
        self._send("/register/complete/", name=name, password=PASSWORD)

    def signs_in(self, who, password=PASSWORD):
        """Come back with a password."""
        self._http.get("/login/")
        self._send("/login/", identifier=who, password=password)

    def _send(self, path, **fields):
        headers = {**JSON, "X-CSRFToken": self._token()}
        answer = self._http.post(path, data=fields, headers=headers, max_redirects=0)
        assert answer.ok, (path, answer.status, answer.text())

    def _token(self):
        return next(each["value"] for each in self._cookies() if each["name"].endswith("csrftoken"))
