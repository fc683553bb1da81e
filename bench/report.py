"""Figures -> the tables in Markdown and the plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cases import CASES, Case
from bench.figures import WAYS, WayFigures, figures_of
from bench.results import Environment, Results, Run

TABLES = "benchmark.md"
PLOT = "benchmark.png"
RUNS = "benchmark.jsonl"


def write_report(folder: Path) -> None:
    """Write tables and plot from the runs that a folder has; raises ValueError if it has none."""
    results = Results(folder / RUNS)
    runs, environments = results.runs(), results.environments()
    if not runs:
        raise ValueError(f"{folder / RUNS}: expected runs, got none")
    (folder / TABLES).write_text(tables(runs, environments))
    plot(runs, folder / PLOT)


def _by_case(runs: Sequence[Run]) -> dict[Case, list[Run]]:
    names = {run.case for run in runs}
    return {case: [run for run in runs if run.case == case.name] for case in CASES.values() if case.name in names}


def tables(runs: Sequence[Run], environments: Sequence[Environment]) -> str:
    """Return the report in Markdown."""
    parts = [_environment_text(environments, runs), f"![seconds by records]({PLOT})"]
    for case, own in _by_case(runs).items():
        parts.append(f"## {case.title}")
        parts.append(_table(figures_of(own)))
    return "\n\n".join(parts) + "\n"


def _environment_text(environments: Sequence[Environment], runs: Sequence[Run]) -> str:
    rounds = len({run.round for run in runs})
    cores = " and ".join(str(count) for count in sorted({run.cores for run in runs}))
    lines = ["# Results of the benchmark", "", f"Rounds: {rounds}. Cores used: {cores}. Made with:", ""]
    lines += [f"- {environment}" for environment in environments]
    return "\n".join(lines)


def _table(ways: Sequence[WayFigures]) -> str:
    sizes = sorted({size for way in ways for size in way.seconds})
    titles = [
        "way",
        *(f"{size:,} records, s" for size in sizes),
        *("start-up, s", "s per million more", "of batchscore's", "the same, by round", "peak memory, MB", "CPU, s"),
    ]
    rows = [_row(way, sizes) for way in ways]
    separator = ["---", *("---:" for _ in titles[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [titles, separator, *rows])


def _row(way: WayFigures, sizes: Sequence[int]) -> list[str]:
    return [
        WAYS[way.way],
        *(f"{way.seconds[size]:.1f}" if size in way.seconds else "" for size in sizes),
        f"{way.line.start_seconds:.1f}" if way.line else "",
        f"{way.line.seconds_per_million:.2f}" if way.line else "",
        f"{way.ratio:.2f}" if way.ratio else "",
        f"{way.ratio_by_round:.2f}" if way.ratio_by_round else "",
        f"{way.peak_bytes / 1e6:,.0f}",
        f"{way.cpu_seconds:.1f}",
    ]


def plot(runs: Sequence[Run], path: Path) -> None:
    """Draw seconds by records, a panel for each case, a line for each way, with the spread of its rounds."""
    from matplotlib.figure import Figure

    cases = _by_case(runs)
    columns = min(len(cases), 2)
    rows = -(-len(cases) // columns)
    figure = Figure(figsize=(6.5 * columns, 4.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for panel, (case, own) in zip(panels, cases.items(), strict=False):
        for way in figures_of(own):
            _draw(panel, way)
        panel.set(title=case.title, xlabel="million records", ylabel="seconds", xlim=(0, None), ylim=(0, None))
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small")
    for panel in panels:  # one too many, of an odd number of cases
        panel.set_axis_off()
    figure.savefig(path, format="png")


def _draw(panel: Any, way: WayFigures) -> None:
    millions = [size / 1e6 for size in way.seconds]
    spreads = list(way.seconds.values())
    below = [spread.median - spread.least for spread in spreads]
    above = [spread.greatest - spread.median for spread in spreads]
    panel.errorbar(
        millions,
        [spread.median for spread in spreads],
        yerr=[below, above],
        color=f"C{list(WAYS).index(way.way)}",
        linestyle="--" if way.way in {"floor", "limit"} else "-",
        marker="o",
        capsize=3,
        label=WAYS[way.way],
    )
