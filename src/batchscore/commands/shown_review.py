"""A review as a program gets it: it shows itself as ``batchscore verify`` does, and in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from batchscore.commands.notebook import folded, rows_table
from batchscore.commands.readable import SHOWN
from batchscore.commands.report_text import render_review
from batchscore.commands.review import Fault, Review


@dataclass(frozen=True, repr=False)
class ShownReview(Review):
    """What ``verify`` found: ``ready``, ``errors``, ``warnings`` and the plan; printed it is the command's report."""

    def __repr__(self) -> str:
        """Show what ``batchscore verify`` prints."""
        return render_review(self)

    def _repr_html_(self) -> str:
        told = [*self.errors, *self.warnings]
        more = [["", "", f"and {len(told) - SHOWN:,} more"]] if len(told) > SHOWN else []
        rows = [*map(_row, told[:SHOWN]), *more]
        table = rows_table(["", "where", "what is wrong"], rows) if rows else ""
        return f"<p><strong>{'ready' if self.ready else 'not ready'}</strong></p>{table}{folded('report', repr(self))}"


def _row(fault: Fault) -> list[str]:
    return ["error" if fault.fatal else "warning", fault.where, fault.what]
