"""The Django project. Importing it reads `.env`, before anything asks for a number or a key."""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

# What the process was started with wins over the file; ENV_FILE= (empty) ignores the file.
_env_file = os.environ.get("ENV_FILE", str(BASE_DIR / ".env"))
if _env_file and Path(_env_file).is_file():
    environ.Env.read_env(_env_file)

from storefront.celery import app as celery_app  # noqa: E402  the file above must be read first

__all__ = ["BASE_DIR", "celery_app"]
