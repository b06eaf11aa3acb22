"""States as badges: a colour and a word, so that nobody needs the colour."""

from django.utils.html import format_html

from messaging.models import Status

GOOD, WAIT, BAD, OFF = "good", "wait", "bad", "off"
TONES = {
    Status.QUEUED: WAIT,
    Status.SENDING: WAIT,
    Status.SENT: GOOD,
    Status.DELIVERED: GOOD,
    Status.BOUNCED: BAD,
    Status.COMPLAINED: BAD,
    Status.FAILED: BAD,
    Status.EXPIRED: BAD,
    Status.CANCELLED: OFF,
}


def badge(tone, word):
    """A word in one of four colours."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, word)


def with_note(words, note):
    """Words with something smaller below them, or alone."""
    return format_html('{}<div class="small quiet">{}</div>', words, note) if note else str(words)


def of_status(status):
    """The badge of a message or a receipt."""
    return badge(TONES[Status(status)], Status(status).label)
