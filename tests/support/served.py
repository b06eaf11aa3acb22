"""What a shop that is served answers to whoever asks over the net."""

from urllib.request import urlopen


def fetch(url):
    """The text at an address of our own."""
    with urlopen(url, timeout=30) as answer:  # noqa: S310
        return answer.read().decode()
