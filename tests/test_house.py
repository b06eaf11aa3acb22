"""The house itself: what is built is fresh, what is promised of the pages holds for all of them."""

import re
import subprocess
from pathlib import Path

from storefront import BASE_DIR

TEMPLATES = list((BASE_DIR / "templates").rglob("*.html"))
# Mail programs know no stylesheet of ours: the frame of all emails brings one style block.
LETTER = BASE_DIR / "templates" / "messaging" / "_letter.html"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|\bjs:|javascript:")


def test_the_stylesheet_is_built_from_what_is_there():
    built = subprocess.run(
        [BASE_DIR / "script" / "css", "--check"], capture_output=True, text=True, check=False
    )

    assert built.returncode == 0, built.stdout + built.stderr


def test_no_template_brings_script_or_style_of_its_own():  # ux 74, WEB-06
    guilty = {path.name: INLINE.findall(path.read_text()) for path in TEMPLATES if path != LETTER}

    assert not any(guilty.values()), guilty


def test_the_frame_of_emails_brings_one_style_block_and_nothing_else():  # ux 79, WEB-06
    assert INLINE.findall(LETTER.read_text()) == ["<style"]


def test_the_styles_read_from_either_side():  # ux 78
    sided = re.compile(
        r"\b(?:margin|padding|border|inset)-(?:left|right)\b|\bfloat:|text-align:\s*(?:left|right)"
    )

    assert not sided.findall(Path(BASE_DIR / "assets" / "app.css").read_text())
