"""Browsers that are emptied and used again: a new one costs a process, and reads every script and style sheet anew."""

from collections import defaultdict


class Profiles:
    """Browser contexts by their options; each is given to one person at a time, without a trace of the last."""

    def __init__(self, browser, base_url, defaults, watch):
        self._browser, self._base_url, self._defaults = browser, base_url, defaults
        self._watch = watch
        self._free, self._taken, self._once = defaultdict(list), [], []

    def take(self, *, again=True, **options):
        """An empty one with these options. One that is not to be used `again` ends with its test."""
        if not again:
            self._once.append(self._open(options))
            return self._once[-1]
        key = repr(sorted(options.items()))
        profile = self._free[key].pop() if self._free[key] else Profile(self._open(options))
        self._taken.append((key, profile))
        return profile.context

    def empty(self):
        """Take back all that were given out: no tab, cookie, stored word or mocked answer stays."""
        for key, profile in self._taken:
            profile.empty(self._base_url)
            self._free[key].append(profile)
        for context in self._once:
            context.close()
        self._taken, self._once = [], []

    def close(self):
        """End them all."""
        for profile in [profile for kept in self._free.values() for profile in kept]:
            profile.context.close()

    def _open(self, options):
        context = self._browser.new_context(**{**self._defaults, **options})
        self._watch(context)
        return context


class Profile:
    """A browser context and a tab of it that nobody sees, which keeps its process alive."""

    def __init__(self, context):
        self.context = context
        self._anchor = context.new_page()
        self._anchor.goto("/livez")
        self._tools = context.new_cdp_session(self._anchor)

    def empty(self, origin):
        """Leave nothing of whoever used it."""
        for page in self.context.pages:
            if page != self._anchor:
                page.close()
        self.context.unroute_all()
        self.context.clear_permissions()
        self._tools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self.context.clear_cookies()
