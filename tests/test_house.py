"""The house itself: what is built is fresh, what is promised of the pages holds for all of them."""

import re
import subprocess
from pathlib import Path

from storefront import BASE_DIR

TEMPLATES = [
    path for path in (BASE_DIR / "templates").rglob("*.html") if path.parts[-3] != "messaging"
]


def test_the_stylesheet_is_built_from_what_is_there():
    built = subprocess.run(
        [BASE_DIR / "script" / "css", "--check"], capture_output=True, text=True, check=False
    )

    assert built.returncode == 0, built.stdout + built.stderr


def test_no_template_brings_script_or_style_of_its_own():  # ux 74, WEB-06
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|\bjs:|javascript:"
    )

    guilty = [path.name for path in TEMPLATES if inline.search(path.read_text())]

    assert guilty == []


def test_the_styles_read_from_either_side():  # ux 78
    sided = re.compile(
        r"\b(?:margin|padding|border|inset)-(?:left|right)\b|\bfloat:|text-align:\s*(?:left|right)"
    )

    assert not sided.findall(Path(BASE_DIR / "assets" / "app.css").read_text())
