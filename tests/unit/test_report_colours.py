"""The colours of the page have the contrasts that WCAG AA asks for, in light, in dark and in print."""

import re

import pytest

from batchscore.report.assets import asset

TEXT, GRAPHICS = 4.5, 3.0
READ = [
    *(("ink", ground) for ground in ("ground", "paper", "inset", "bad-ground", "shade1", "shade2", "shade3", "shade4")),
    *(("soft", ground) for ground in ("ground", "paper", "inset")),
    *(("one", ground) for ground in ("ground", "paper")),
    *((kind, f"{kind}-ground") for kind in ("good", "bad", "open")),
]
SEEN = [("one", "paper"), ("zero", "paper"), ("edge", "paper"), ("ink", "paper")]


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", asset("page.css"), re.DOTALL)
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=True))


def luminance(colour: str) -> float:
    """Return the relative luminance, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(left: str, right: str) -> float:
    high, low = sorted((luminance(left), luminance(right)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize(("text", "ground"), READ)
def test_what_is_read_stands_out_from_what_is_behind_it(scheme: str, text: str, ground: str) -> None:
    palette = palettes()[scheme]
    assert contrast(palette[text], palette[ground]) >= TEXT


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize(("mark", "ground"), SEEN)
def test_what_is_seen_stands_out_from_what_is_behind_it(scheme: str, mark: str, ground: str) -> None:
    palette = palettes()[scheme]
    assert contrast(palette[mark], palette[ground]) >= GRAPHICS


def test_every_colour_of_the_page_is_one_of_its_palette_which_all_schemes_have_whole() -> None:
    css = asset("page.css")
    used = set(re.findall(r"var\(--([\w-]+)\)", css))
    outside = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![\w-]*\s*[,{:>~ ])|rgb\(|hsl\(", re.sub(r"#[a-z-]+", "", outside))
    for palette in palettes().values():
        assert set(palette) == used
