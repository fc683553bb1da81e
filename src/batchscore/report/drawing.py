"""SVG pictures that keep their letters at any width: places across are percentages, heights pixels (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from batchscore.report.markup import Content, Markup, element, join

_NEAR_END = 0.1


def percent(fraction: float) -> str:
    """Return a fraction of the width as SVG takes it."""
    return f"{round(100 * fraction, 2):g}%"


def picture(height: int, label: str, *content: Content, **attributes: object) -> Markup:
    """Return an SVG of a height in pixels that is as wide as its place."""
    told = {"class_": "plot", "width": "100%", "height": height, "role": "img", "aria_label": label}
    return element("svg", *content, **told, **attributes)


def columns_of(heights: Sequence[float], base: float, room: float, *, upwards: bool = True) -> Markup:
    """Return bars side by side over the width, the highest ``room`` pixels high, from a base line up or down."""
    highest = max(heights, default=0.0) or 1.0
    width = 1 / len(heights)
    found: list[Markup] = []
    for place, height in enumerate(heights):
        if height > 0:
            tall = max(1.0, round(room * height / highest, 1))  # a single record is seen too
            top = base - tall if upwards else base
            box = {"x": percent(place * width), "width": percent(width * 0.86)}
            found.append(element("rect", y=f"{top:g}", height=f"{tall:g}", **box))
    return element("g", found)


def outline(heights: Sequence[float], width: int, height: int) -> Markup:
    """Return bars of a small picture in pixels as one path: hundreds of such pictures are to be small."""
    highest = max(heights, default=0.0) or 1.0
    step = width // len(heights)
    tops = [height - max(1, round((height - 1) * value / highest)) if value else height for value in heights]
    return element("path", d=f"M0 {height}" + "".join(f"V{top}h{step}" for top in tops) + f"V{height}z")


def ticks_below(ticks: Sequence[tuple[float, str]], y: int) -> Markup:
    """Return the texts below a picture, each at a fraction of the width."""
    return element("g", [_tick(place, text, y) for place, text in ticks], class_="ticks", aria_hidden="true")


def anchored(place: float, near: float = _NEAR_END) -> str:
    """Return how a text stands to its place, so that none leaves the picture."""
    return "start" if place < near else "end" if place > 1 - near else "middle"


def _tick(place: float, text: str, y: int) -> Markup:
    mark = element("line", x1=percent(place), x2=percent(place), y1=y, y2=y + 5)
    return join(mark, element("text", text, x=percent(place), y=y + 19, text_anchor=anchored(place)))


def base_line(y: float) -> Markup:
    """Return a line over the whole width."""
    return element("line", x1="0", x2="100%", y1=f"{y:g}", y2=f"{y:g}", class_="axis")


def square_plot(
    label: str,
    points: Sequence[tuple[float, float]],
    titles: tuple[str, str],
    *,
    diagonal: bool = False,
    dots: bool = False,
    mark: str | None = None,
    end: str = "1",
) -> Markup:
    """Return a curve in the unit square with its axes.

    ``mark`` is the id of a dot that a script moves, ``end`` what stands at the end of both axes.
    """
    frame = element("rect", x="0", y="0", width="100%", height="100%", class_="frame")
    spots = [element("circle", cx=percent(x), cy=percent(1 - y), r=3.5, class_="spot") for x, y in points if dots]
    moved = element("circle", id=mark, r=6, cx="0", cy="100%", class_="dot", visibility="hidden") if mark else None
    drawn = [_grid(), frame, _stretched(points, diagonal=diagonal), spots, moved]
    beside = titles[1] if end == "1" else f"{titles[1]}, to {end}"
    inner = element("svg", drawn, class_="square", role="img", aria_label=label)
    across = [element("span", text) for text in ("0", f"{titles[0]} \u2192", end)]
    return element(
        "div",
        element("div", f"\u2191 {beside}", class_="upwards", aria_hidden="true"),
        inner,
        element("div", across, class_="across", aria_hidden="true"),
        class_="squared",
    )


def _grid() -> list[Markup]:
    places = [percent(part) for part in (0.25, 0.5, 0.75)]
    upright = [element("line", x1=place, x2=place, y1="0", y2="100%", class_="grid") for place in places]
    return upright + [element("line", x1="0", x2="100%", y1=place, y2=place, class_="grid") for place in places]


def _stretched(points: Sequence[tuple[float, float]], *, diagonal: bool) -> Markup:
    """Return a line through points of the unit square, as wide and as high as its place."""
    path = " ".join(f"{round(100 * x, 2):g},{round(100 * (1 - y), 2):g}" for x, y in points)
    return element(
        "svg",
        element("line", x1=0, y1=100, x2=100, y2=0, class_="diagonal") if diagonal else None,
        element("polyline", points=path, class_="curve"),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )
