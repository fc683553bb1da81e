"""What came of reading the model's example in three ways, and what a person is shown of it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Parity:
    """What came of the comparison.

    ``not_compared`` says why there was none. ``left_out`` are the rows of the example, of ``row_count``, that are
    invalid to the job, by reason. ``job_differs`` says where A differs from B, ``csv_differs`` where B does from C;
    None where they do not, or where C was not asked.
    """

    not_compared: str | None = None
    row_count: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    job_differs: str | None = None
    csv_differs: str | None = None

    @property
    def compared_count(self) -> int:
        """The rows that are valid to the job."""
        return self.row_count - sum(self.left_out.values())


def parity_lines(parity: Parity) -> list[tuple[str, str]]:
    """Return what a person is shown: a line for each of A, B and C, or why they were not compared."""
    if parity.not_compared is not None:
        return [("parity", f"not compared: {parity.not_compared}")]
    rows = f"{parity.compared_count} of {parity.row_count} rows"
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(parity.left_out.items()))
    if reasons:
        rows += f"; left out, as invalid: {reasons}"
    return [
        ("parity A", f"the model's example as the job reads it from CSV: {rows}"),
        ("parity B", f"as pandas reads that CSV: {parity.job_differs or 'the same values, types and answers'}"),
        ("parity C", f"the model on the example itself: {parity.csv_differs or 'the same answers'}"),
    ]
