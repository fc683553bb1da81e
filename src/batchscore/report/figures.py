"""Numbers, sizes, shares and times as the page spells them (pure)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600
_TEN = 10  # seconds, below which a tenth of one matters
_DIGITS = 4
_TINY = 1e-4
_LARGE = 1e15
_LEAST_WITHOUT_EXPONENT = 1e-6
_KIB = 1024


def count(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return _minus(f"{number:,}")


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number of things."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def share(part: float, whole: float) -> str:
    """Return a share in percent, never 0% of what is there nor 100% where something is not."""
    if not whole:
        return "\u2013"
    percent = 100 * part / whole
    if 0 < percent < 0.01:  # what two digits show
        return "< 0.01%"
    if 99.99 < percent < 100:
        return "> 99.99%"
    digits = 0 if percent in {0, 100} else 2 if percent < _TEN or percent > 100 - _TEN else 1
    return f"{fixed(percent, digits)}%"


def fixed(value: float, digits: int) -> Decimal:
    """Return a number with so many digits after the point; of two as near the larger one, as JavaScript's toFixed."""
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def measure(value: float | None) -> str:
    """Return a number in four digits, those before the point in full."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    if value == 0:
        return "0"
    if abs(value) >= _LARGE or abs(value) < _TINY:
        return _minus(_with_exponent(value))
    return _minus(f"{fixed(value, max(0, _DIGITS - 1 - _magnitude(value))):,}")


def plain(value: float) -> str:
    """Return an edge or a tick in as few digits as tell it."""
    return _minus(_short_exponent(f"{value:.6g}"))


def tick(value: float) -> str:
    """Return a round number below a picture."""
    return _minus(f"{value:,.10g}")


def score(value: float) -> str:
    """Return a score in four digits of itself, or of what it lacks of 1."""
    if value <= 0 or value >= 1:
        return f"{value + 0.0:g}"  # -0 is 0
    if value < _TINY:
        return _with_exponent(value)
    decimals = _DIGITS - 1 - _magnitude(value if value < 0.5 else 1 - value)
    return str(fixed(value, min(17, decimals))).rstrip("0")


def _magnitude(value: float) -> int:
    """Return the power of ten of the first digit of the shortest text of a number."""
    return Decimal(repr(float(value))).adjusted()


def _with_exponent(value: float) -> str:
    """Return a number in at most four digits and a power of ten."""
    digits, power = f"{value:.{_DIGITS - 1}e}".split("e")
    return _short_exponent(f"{digits.rstrip('0').rstrip('.')}e{power}")


def _short_exponent(text: str) -> str:
    return text.replace("e-0", "e-").replace("e+0", "e+")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212") if text.startswith("-") else text


def yaml_number(value: float) -> str:
    """Return the shortest text that YAML 1.1 reads back as this number, as JavaScript spells numbers.

    YAML wants a point before an exponent.
    """
    if value == 0 or abs(value) >= _LEAST_WITHOUT_EXPONENT:
        return f"{Decimal(repr(value + 0.0)):f}".removesuffix(".0")
    digits, power = repr(value).split("e")
    return f"{digits}{'' if '.' in digits else '.0'}e{int(power)}"


def size(size_in_bytes: int) -> str:
    """Return a size in bytes, KiB, MiB and so on."""
    value, units = float(size_in_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= _KIB and len(units) > 1:
        value /= _KIB
        units.pop(0)
    return f"{value:,.{1 if value < _TEN and units[0] != 'bytes' else 0}f} {units[0]}"


def moment(epoch_seconds: float | None) -> str:
    """Return a time of UTC, the same wherever the page is made and read."""
    if epoch_seconds is None:
        return "\u2013"
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # of a record that somebody else wrote
        return str(epoch_seconds)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, as ``1 h 3 min``."""
    if round(seconds, 1) < _TEN:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for name, unit, smaller, part in (("d", _DAY, "h", _HOUR), ("h", _HOUR, "min", _MINUTE), ("min", _MINUTE, "s", 1)):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name} {rest} {smaller}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"
