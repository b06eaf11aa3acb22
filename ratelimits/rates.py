"""How often something may happen, and how the environment writes it."""

import re
from typing import NamedTuple

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Rate(NamedTuple):
    """How often something may happen: `times` in any `seconds`."""

    times: int
    seconds: int


def parse_rates(text: str) -> tuple[Rate, ...]:
    """Read "5/h,10/d" or "30/10m". Raises ValueError for anything else, and for two rates of one span."""
    rates = tuple(parse_rate(part.strip()) for part in text.split(","))
    if len({rate.seconds for rate in rates}) < len(rates):
        raise ValueError(f"{text!r} names one span twice")
    return rates


def parse_rate(text: str) -> Rate:
    """Read "5/h" or "30/10m". Raises ValueError for anything else."""
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*|)([smhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a rate like 5/h or 30/10m")
    times, units, unit = match.groups()
    return Rate(int(times), int(units or 1) * UNITS[unit])
