"""When a recording began, as its file's name says."""

import re
from datetime import datetime, timedelta
from pathlib import Path

# 2023-05-14_06-30-00, 20230514_063000, 20230514063000, 20230514T063000Z ...; and a time zone in
# the basic form of ISO 8601 (20230514T063000+0200), which is taken for one only after a T.
_DATE = r"(\d{4})([-_.]?)(\d\d)\2(\d\d)"
_TIME = r"([ T_$-]?|_-_)(\d\d)([-_.:h]?)(\d\d)[-_.:m]?(\d\d)"
_NAMED = re.compile(rf"(?<!\d){_DATE}{_TIME}(?!\d)(Z(?![a-zA-Z])|[+-]\d\d:?\d\d(?!\d))?")
YEARS = range(1970, 2100)  # others are taken for numbers


def start_of(path: str | Path) -> datetime | None:
    """Date and time in a file's name, such as ``PREFIX_YYYYMMDD_HHMMSS.wav``.

    Returns
    -------
    datetime or None
        With a time zone only if the name has one. ``None`` if the name has no full date and time,
        or more than one.
    """
    found = {each for match in _NAMED.finditer(Path(path).stem) if (each := _read(match))}
    return found.pop() if len(found) == 1 else None


def _read(match: re.Match[str]) -> datetime | None:
    year, _, month, day, between, hour, _, minute, second, zone = match.groups()
    if int(year) not in YEARS:
        return None
    known = zone if zone == "Z" or between == "T" else None
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second}{known or ''}")
    except ValueError:  # there is no such day, time or zone
        return None


def time_at(start: datetime | None, seconds: float) -> str:
    """ISO 8601, to the millisecond, of a time in a recording; empty if its start is unknown."""
    if start is None:
        return ""
    return (start + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
