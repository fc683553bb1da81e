"""The scores of a binary model with the cut-off slider, and what follows from where it stands (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from batchscore.report.bins import Scale, bars, log_odds_scale, log_odds_ticks
from batchscore.report.cutoffs import Cutoffs, cutoffs, labelled
from batchscore.report.drawing import anchored, base_line, columns_of, percent, picture, ticks_below
from batchscore.report.figures import count, measure, score, share, yaml_number
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, element, json_in_script, name
from batchscore.report.parts_of_page import folded, note, number, table

_BARS = 80
_TOP = 26  # pixels above the bars, for the names of both sides
_ONE = 190  # the height of bars upwards, where they stand alone
_EACH = 120  # where those of the other label hang below
_ROWS = 21
_ROOM_OF_NAME = 0.2  # of a picture from 500 pixels on
_ROOM_OF_NAME_NARROW = 0.36  # of one from 260 pixels on
_NEAR_END = 0.34  # where half of the text in force has no room

Drawn = Sequence[Sequence[float]]
"""The heights of the bars: of all scores, or of those labelled 1 and of those labelled 0."""


def cutoff_panel(report: Report, threshold: float) -> Content:
    """Return the picture, the slider, the numbers that follow it, the line to copy, and a table of some stops."""
    assert report.profile is not None
    found = cutoffs(report.profile, threshold)
    buckets = next(iter(report.profile.answers.values())).buckets
    scale = log_odds_scale(buckets, threshold)
    negative, positive = labelled(report.profile)
    drawn = [bars(part, scale, _BARS) for part in ((positive, negative) if found.has_labels else (buckets,))]
    return [
        _explanation(found, drawn, report.profile.positive_label or "1"),
        element("div", _slider(found), _picture(drawn, scale, threshold), class_="cutoff"),
        _readout(found),
        folded("Some cut-offs as a table", _table(found)),
        element("script", json_in_script(_data(found, scale)), type="application/json", id="cutoffs"),
    ]


def _explanation(found: Cutoffs, drawn: Drawn, positive: str) -> Markup:
    fullest = [count(round(max(heights))) for heights in drawn]
    what = f"the fullest bar has {fullest[0]} records. "
    if found.has_labels:
        what = (
            f"above the line are {count(found.positive_count)} records labelled 1, {fullest[0]} in the fullest bar, "
            f"below it {count(found.negative_count)} labelled 0, {fullest[1]} in the fullest. "
        )
    return note(
        "The score is P(",
        name(positive, 80),
        "). It is drawn in log-odds, so that scores near 0 and near 1 have room; ",
        what,
        "A record is answered 1 where its score is at least the cut-off.",
    )


def _picture(drawn: Drawn, scale: Scale, threshold: float) -> Markup:
    has_labels = len(drawn) > 1
    tall = _EACH if has_labels else _ONE
    base = _TOP + tall
    bottom = base + (tall if has_labels else 0)
    at = scale.place(threshold)
    place = percent(at)
    shown = [columns_of(heights, base, tall, upwards=not below) for below, heights in enumerate(drawn)]
    in_force = f"\u25b4 {score(threshold)} in force"
    content = [
        element("defs", element("g", shown, id="bars"), _clip(place, bottom)),
        element("use", href="#bars", class_="bars zero"),
        element("use", href="#bars", class_="bars one", clip_path="url(#from-cut)"),
        base_line(base),
        _sides(base, tall) if has_labels else None,
        element("line", x1=place, x2=place, y1=_TOP, y2=bottom, class_="in-force"),
        element("line", x1="0", x2="100%", y1=bottom, y2=bottom, class_="track"),
        ticks_below([(scale.place(value), text) for value, text in log_odds_ticks(scale, 0.13)], bottom),
        element("text", in_force, x=place, y=bottom + 38, text_anchor=anchored(at, _NEAR_END)),
        _handle(at, bottom),
    ]
    label = "Distribution of the scores, in log-odds; the table of cut-offs has its numbers"
    return picture(bottom + 46, label, *content, id="scores-plot")


def _clip(place: str, height: int) -> Markup:
    return element("clipPath", element("rect", id="cut-from", x=place, y=0, width="100%", height=height), id="from-cut")


def _sides(base: int, tall: int) -> list[Markup]:
    upper = element("text", "labelled 1", x="0", y=_TOP + 12, class_="side")
    return [upper, element("text", "labelled 0", x="0", y=base + tall - 8, class_="side")]


def _handle(at: float, bottom: int) -> Markup:
    """Return the line at the cut-off with what it parts, which the script moves as one."""
    return element(
        "svg",
        element("line", x1=0, x2=0, y1=4, y2=bottom, class_="cut"),
        element("text", "\u25c2 answer 0", x=-8, y=15, text_anchor="end", class_="answer zero"),
        element("text", "answer 1 \u25b8", x=8, y=15, text_anchor="start", class_="answer one"),
        element("circle", cx=0, cy=bottom, r=9, class_="knob"),
        id="cut",
        x=percent(at),
        y=0,
        class_=_near_end(at),
        overflow="visible",
        width=1,
        height=bottom,
        aria_hidden="true",
    )


def _near_end(at: float) -> str:
    """Return the class of a handle whose outer name has no room: at an end of the picture, and of a narrow one."""
    room = min(at, 1 - at)
    if room >= _ROOM_OF_NAME_NARROW:
        return ""
    return f"{'at' if room < _ROOM_OF_NAME else 'near'}-{'start' if at < 0.5 else 'end'}"


def _slider(found: Cutoffs) -> Markup:
    return element(
        "input",
        type="range",
        id="stop",
        min=0,
        max=max(0, len(found.thresholds) - 1),
        step=1,
        value=found.in_force,
        aria_label="Cut-off",
        aria_valuetext=_spoken(found, found.in_force),
        aria_controls="readout",
        class_="scripted",
    )


def _spoken(found: Cutoffs, place: int) -> str:
    return f"{score(found.thresholds[place])}, in force: {count(found.above[place])} answered 1"


def _readout(found: Cutoffs) -> Markup:
    """Return the numbers at the cut-off: those in force until a script moves it."""
    at = found.in_force
    above = found.above[at]
    ones = _reading("Answered 1", "ones", count(above), "ones-share", share(above, found.record_count))
    below = found.record_count - above
    zeros = _reading("Answered 0", "zeros", count(below), "zeros-share", share(below, found.record_count))
    here = _reading("Cut-off", "here", score(found.thresholds[at]), "here-note", "in force", "main")
    quality = _quality(found) if found.has_labels else []
    return element(
        "div",
        element("dl", here, ones, zeros, quality, class_="tiles readings"),
        _costs(found) if found.has_labels else None,
        _line(found),
        id="readout",
    )


def _reading(title: str, number_id: str, text: str, remark_id: str, remark: str, class_: str | None = None) -> Markup:
    big = element("dd", element("span", text, id=number_id), class_="big")
    return element("div", element("dt", title), big, element("dd", remark, id=remark_id), class_=class_)


def _quality(found: Cutoffs) -> list[Markup]:
    precision, recall, f1 = rates(found, found.in_force)
    wrong_ones = found.false_positives[found.in_force]
    missed = found.positive_count - found.true_positives[found.in_force]
    return [
        _reading(
            "Precision", "precision", measure(precision), "wrong-ones", f"{count(wrong_ones)} of label 0 answered 1"
        ),
        _reading("Recall", "recall", measure(recall), "missed", f"{count(missed)} of label 1 answered 0"),
        _reading("F1", "f1", measure(f1), "f1-note", "of both"),
    ]


def rates(found: Cutoffs, place: int) -> tuple[float | None, float | None, float | None]:
    """Return precision, recall and F1 at a stop; None is a quotient of nothing."""
    hits, wrong = found.true_positives[place], found.false_positives[place]
    precision = hits / (hits + wrong) if hits + wrong else None
    recall = hits / found.positive_count if found.positive_count else None
    both = hits + wrong + found.positive_count
    return precision, recall, 2 * hits / both if both else None


def _costs(found: Cutoffs) -> Markup:
    at = found.in_force
    missed = found.positive_count - found.true_positives[at]
    total = found.false_positives[at] + missed

    def asked(identity: str, text: str) -> Markup:
        return element(
            "label",
            element("span", text),
            element("input", type="number", id=identity, min=0, step="any", value=1, inputmode="decimal"),
        )

    return element(
        "div",
        element("h3", "What errors cost"),
        element(
            "div",
            asked("cost-wrong", "a label 0 answered 1"),
            asked("cost-missed", "a label 1 answered 0"),
            element(
                "p",
                "At this cut-off they cost ",
                element("span", count(total), id="cost"),
                ". ",
                element("span", id="cheapest"),
                class_="sum",
            ),
            element("button", "Go to the lowest cost", type="button", id="go-cheapest"),
            class_="costs",
        ),
        class_="scripted cost-box",
    )


def _line(found: Cutoffs) -> Markup:
    text = f"threshold: {yaml_number(found.thresholds[found.in_force])}"
    buttons = [
        element("button", "Copy", type="button", id="copy", class_="scripted"),
        element("button", "Back to the one in force", type="button", id="back", class_="scripted", disabled=True),
    ]
    return element(
        "div",
        element("h3", "The line of the configuration that sets it"),
        element("div", element("pre", element("code", text, id="line"), tabindex="0"), buttons, class_="line"),
        element("p", id="copied", role="status", class_="note"),
        note("Another threshold is another job: give it another id."),
        class_="line-box",
    )


def _table(found: Cutoffs) -> Markup:
    places = some_stops(found)
    titles = [number("Cut-off"), number("Answered 1"), number("Share"), number("Answered 0")]
    if found.has_labels:
        titles += [
            number("Precision"),
            number("Recall"),
            number("F1"),
            number("Label 0 answered 1"),
            number("Label 1 answered 0"),
        ]
    return table(titles, [_table_row(found, place) for place in places], "Cut-offs")


def some_stops(found: Cutoffs) -> Sequence[int]:
    """Return stops from the first to the last that part the records evenly in log-odds, the one in force among them."""
    last = len(found.thresholds) - 1
    return sorted({round(step * last / (_ROWS - 1)) for step in range(_ROWS)} | {found.in_force})


def _table_row(found: Cutoffs, place: int) -> list[Content]:
    above = found.above[place]
    here = score(found.thresholds[place])
    title = [here, element("span", " in force", class_="share")] if place == found.in_force else here
    row: list[Content] = [title, count(above), share(above, found.record_count), count(found.record_count - above)]
    if found.has_labels:
        row += [measure(rate) for rate in rates(found, place)]
        row += [count(found.false_positives[place]), count(found.positive_count - found.true_positives[place])]
    return row


def _data(found: Cutoffs, scale: Scale) -> dict[str, object]:
    """Return what the script needs: lists with a place for each stop."""
    return {
        "thresholds": found.thresholds,
        "places": [round(scale.place(threshold), 4) for threshold in found.thresholds],
        "above": found.above,
        "records": found.record_count,
        "inForce": found.in_force,
        "positives": found.positive_count,
        "negatives": found.negative_count,
        "hits": found.true_positives,
        "wrong": found.false_positives,
    }
