"""Pictures as plain numbers for a template: across in percent, down in pixels, so that no letter is ever stretched."""

from dataclasses import dataclass

BAR, ROW = 12, 40
HEIGHT, TOP, BOTTOM = 150, 18, 24
LABELS = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """One bar or column, and what stands at it."""

    label: str
    number: int
    x: str = "0"
    y: int = 0
    width: str = "0"
    height: int = BAR
    label_x: str = "0"
    anchor: str = "start"
    share: str = ""
    is_named: bool = True

    @property
    def shown(self):
        """The number, for people."""
        return f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture with its table."""

    name: str
    title: str
    words: str
    marks: list
    height: int
    head: tuple
    most: int
    is_tall: bool = False

    @property
    def rows(self):
        """What the picture shows, as pairs of words and number."""
        return [(mark.label, mark.number) for mark in self.marks]

    @property
    def shown_most(self):
        """The highest number, for people."""
        return f"{self.most:,}"

    @property
    def is_empty(self):
        """Whether there is nothing to draw."""
        return not any(mark.number for mark in self.marks)

    @property
    def base(self):
        """Where the columns stand."""
        return TOP + HEIGHT


def bars(name, title, rows, *, head, words, of_first=False):
    """Lay out lines, one below the other: its words above each. With `of_first`, as shares of the first."""
    most = max((number for _label, number in rows), default=0)
    marks = [
        Mark(
            label=str(label),
            number=number,
            y=place * ROW,
            width=_percent(number, most),
            share=_share(number, rows[0][1]) if of_first else "",
        )
        for place, (label, number) in enumerate(rows)
    ]
    return Chart(name, title, words, marks, max(1, len(rows)) * ROW, head, most)


def columns(name, title, rows, *, head, words):
    """Lay out columns side by side, a few of them named."""
    most = max((number for _label, number in rows), default=0)
    slot = 100 / max(1, len(rows))
    marks = [
        _column(place, slot, label, number, most, len(rows))
        for place, (label, number) in enumerate(rows)
    ]
    return Chart(name, title, words, marks, TOP + HEIGHT + BOTTOM, head, most, is_tall=True)


def _column(place, slot, label, number, most, count):
    height = _height(number, most)
    label_x, anchor = _label_at(place, slot, count)
    return Mark(
        label=str(label),
        number=number,
        x=f"{(place + 0.1) * slot:.3f}%",
        y=TOP + HEIGHT - height,
        width=f"{slot * 0.8:.3f}%",
        height=height,
        label_x=label_x,
        anchor=anchor,
        is_named=place in _named(count),
    )


def _named(count):
    """The places of the columns that have room for their names."""
    return {round(n * (count - 1) / (LABELS - 1)) for n in range(LABELS)}


def _label_at(place, slot, count):
    if place == 0:
        return "0", "start"
    if place == count - 1:
        return "100%", "end"
    return f"{(place + 0.5) * slot:.3f}%", "middle"


def _height(number, most):
    # What is there is seen, however little.
    return max(1, round(HEIGHT * number / most)) if number else 0


def _percent(number, most):
    return f"{100 * number / most:.3f}%" if number else "0"


def _share(number, first):
    return f"{100 * number / first:.0f} %" if first else ""
