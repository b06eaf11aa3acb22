"""Charts as plain numbers for a template: across in percent, down in pixels, so that no letter is ever stretched."""

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
    has_label: bool = True

    @property
    def number_text(self):
        return f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart with its table."""

    name: str
    title: str
    description: str
    marks: list
    height: int
    headings: tuple
    highest: int
    is_tall: bool = False

    @property
    def rows(self):
        """What the chart shows, as pairs of words and number."""
        return [(mark.label, mark.number) for mark in self.marks]

    @property
    def highest_text(self):
        return f"{self.highest:,}"

    @property
    def is_empty(self):
        return not any(mark.number for mark in self.marks)

    @property
    def base(self):
        """The y of the line that the columns stand on."""
        return TOP + HEIGHT


def bars(name, title, rows, *, headings, description, shares=False):
    """Lay out bars, one below the other, with a label above each; `shares` adds each bar's share of the first."""
    highest = max((number for _label, number in rows), default=0)
    marks = [
        Mark(
            label=str(label),
            number=number,
            y=place * ROW,
            width=_percent(number, highest),
            share=_share(number, rows[0][1]) if shares else "",
        )
        for place, (label, number) in enumerate(rows)
    ]
    return Chart(name, title, description, marks, max(1, len(rows)) * ROW, headings, highest)


def columns(name, title, rows, *, headings, description):
    """Lay out columns side by side, a few of them with a label."""
    highest = max((number for _label, number in rows), default=0)
    slot = 100 / max(1, len(rows))
    marks = [
        _column(place, slot, label, number, highest, len(rows))
        for place, (label, number) in enumerate(rows)
    ]
    height = TOP + HEIGHT + BOTTOM
    return Chart(name, title, description, marks, height, headings, highest, is_tall=True)


def _column(place, slot, label, number, highest, count):
    height = _height(number, highest)
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
        has_label=place in _labelled(count),
    )


def _labelled(count):
    """The places of the columns that have room for a label."""
    return {round(n * (count - 1) / (LABELS - 1)) for n in range(LABELS)}


def _label_at(place, slot, count):
    if place == 0:
        return "0", "start"
    if place == count - 1:
        return "100%", "end"
    return f"{(place + 0.5) * slot:.3f}%", "middle"


def _height(number, highest):
    # What is there is seen, however little.
    return max(1, round(HEIGHT * number / highest)) if number else 0


def _percent(number, highest):
    return f"{100 * number / highest:.3f}%" if number else "0"


def _share(number, first):
    return f"{100 * number / first:.0f} %" if first else ""
