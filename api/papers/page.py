"""A paper: a text that stands beside this module, with what is made put into it."""

from pathlib import Path

from django.template import Context, Engine

HERE = Path(__file__).parent
MADE = "`manage.py api_docs` makes this page; do not edit it by hand."
# Where script/server serves a developer.
SHOP = "http://127.0.0.1:8000"


def fill(name: str, **context: object) -> str:
    """The text `name` with its blanks filled in."""
    template = Engine(autoescape=False).from_string((HERE / name).read_text())
    made: str = template.render(Context({"made": MADE, "shop": SHOP, **context}, autoescape=False))
    return made


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
