"""The real settings for a site that browser tests start: its messages go to a mailbox of its own."""

import os
from pathlib import Path

from storefront.settings import *  # noqa: F403

MAILBOX_DIR = Path(os.environ["MAILBOX_DIR"])
