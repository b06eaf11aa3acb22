"""States as badges: a colour and a word, so that nobody needs the colour."""

from django.utils.html import format_html

from messaging.models import Status

GOOD, WAIT, BAD, OFF = "good", "wait", "bad", "off"
STATUS_TONES = {
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
    """Return a word as a badge in one of four colours."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, word)


def with_subtext(words, subtext):
    """Return words with smaller ones below them, if there are any."""
    return (
        format_html('{}<div class="small quiet">{}</div>', words, subtext)
        if subtext
        else str(words)
    )


def status_badge(status):
    """The badge of a message or a receipt."""
    return badge(STATUS_TONES[Status(status)], Status(status).label)
