"""The values of a regression: a distribution for each, with the numbers below which a part of them lies (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from batchscore.report.bins import bars, linear_scale, linear_ticks, middle_range, quantile, spaced
from batchscore.report.drawing import base_line, columns_of, picture, ticks_below
from batchscore.report.figures import count, counted, measure, plain, tick
from batchscore.report.markup import Content, Markup, element, name, shortened
from batchscore.report.parts_of_page import more, note, number, table, words
from batchscore.report.stored import Buckets, Distribution, ProfileTold

_DRAWN = 12
_BARS = 60
_HEIGHT = 180
_BASE = 150
_ACROSS = 4
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def value_distributions(profile: ProfileTold, file: str) -> Content:
    """Return a picture of each value, and a table of them; all are in a file."""
    drawn = [(title, answer.buckets) for title, answer in profile.answers.items() if answer.buckets][:_DRAWN]
    several = len(profile.answers) > 1
    pictures = [
        element("figure", element("h3", name(title)) if several else None, distribution(buckets, "Values"))
        for title, buckets in drawn
    ]
    left_out = len(profile.answers) - len(drawn)
    without = note(f"{counted(left_out, 'more value')} without a picture: the table has them.") if left_out else None
    return [element("div", pictures, class_="several" if several else "single"), without, _table(profile, file)]


def distribution(buckets: Buckets, label: str, *, with_zero: bool = False) -> Markup:
    """Return the bars of numbers on their own scale, those far off told and not drawn; 0 can be marked."""
    low, high, outside = middle_range(buckets)
    scale = linear_scale(low, high)
    inside = tuple(bucket for bucket in buckets if bucket[1] > scale.low and bucket[0] < scale.high) or buckets
    heights = bars(inside, scale, _BARS)
    ticks = spaced([(value, tick(value)) for value in linear_ticks(scale, 5)], scale, 0.14)
    zero = scale.place(0.0)
    mark = element("line", x1=f"{100 * zero:.2f}%", x2=f"{100 * zero:.2f}%", y1=0, y2=_BASE, class_="zero-line")
    drawn = picture(
        _HEIGHT,
        f"{label}: bars of equal width from {plain(scale.low)} to {plain(scale.high)}",
        element("g", columns_of(heights, _BASE, _BASE - 10), class_="bars one"),
        mark if with_zero and 0 < zero < 1 else None,
        base_line(_BASE),
        ticks_below([(scale.place(value), text) for value, text in ticks], _BASE),
    )
    far = note(f"{counted(outside, 'record')} farther out than this range, 1% at the most, are not drawn.")
    return element("div", drawn, far if outside else None, class_="plotted")


def _table(profile: ProfileTold, file: str) -> Markup:
    """Return a row for each value, or for each part where there are but a few values."""
    heads = ["Predictions", "Lowest", *(_spelt(part) for part in QUANTILES), "Highest", "Mean"]
    found = {title: _figures(answer) for title, answer in profile.answers.items()}
    caption = "Below which value a part of the predictions lies"
    if len(found) > _ACROSS:
        rows: list[list[Content]] = [[name(title, 80), *figures] for title, figures in found.items()]

        def rest(place: int) -> Sequence[Content]:
            left = len(rows) - place
            return [more(left, file), *[None] * len(heads)] if left else ()

        return table([words("Value"), *(number(head) for head in heads)], rows, caption, rest)
    titles = [words("Part"), *(number(shortened(title, 40)) for title in found)]
    return table(titles, [list(row) for row in zip(heads, *found.values(), strict=True)], caption)


def _figures(answer: Distribution) -> list[str]:
    inner = [measure(quantile(answer.buckets, part)) if answer.buckets else "\u2013" for part in QUANTILES]
    return [count(answer.count), measure(answer.min), *inner, measure(answer.max), measure(answer.mean)]


def _spelt(part: float) -> str:
    return "Median" if part == 0.5 else f"{part:.0%}"
