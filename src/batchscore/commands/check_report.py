"""What a check of a finished job looked at, by proof, and what it found wrong (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from batchscore.commands.comparison import Comparison
from batchscore.commit.discrepancies import Discrepancy
from batchscore.errors import CheckFailedError

PROOFS = {
    "manifest": "the extended manifest agrees with itself and with its id",
    "classic manifest": "Amazon's manifest agrees with it",
    "record": "the record agrees with it",
    "profile": "the profile, where there is one, is of as many records",
    "page": "the page, where there is one, is of this commit",
    "inputs": "every input is there, unchanged since it was scored",
    "files": "every part and rejected file is there, of its size and, where read, its SHA-256",
    "records": "a line for each record of the input, and the counts of the manifest",
    "tags": "each line has the tag and label of its record",
    "passed columns": "each line has what is passed through of its record",
    "predictions": "each record that is not rejected has its predictions",
    "labels": "each label that is predicted is a class of the model",
    "status": "each status is ok, or the reason of the record's rejected row",
    "invalid records": "the records without a prediction are those of the rejected files",
}


@dataclass
class CheckReport:
    """What a check looked at, by proof, and what it found wrong: its findings, as users read them."""

    id: str
    manifest: str
    input_count: int
    part_count: int
    record_count: int
    parts_read: int = 0
    records_read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    findings: list[Discrepancy] = field(default_factory=list)

    def add(self, proof: str, tried: int, findings: Sequence[Discrepancy]) -> None:
        """Add what was looked at for a proof."""
        self.tried[proof] += tried
        self.failed[proof] += len(findings)
        self.findings += findings

    def add_comparison(self, compared: Comparison, where: str) -> None:
        """Add the comparison of a part."""
        self.tried += compared.tried
        self.failed += compared.failed
        self.reasons += compared.reasons
        for proof, failure in compared.first.items():
            count = compared.failed[proof]
            what = f"{failure} ({count} in all)" if count > 1 else str(failure)
            self.findings.append(Discrepancy(proof, where, what))

    def add_part(self, uri: str, compared: Comparison | None, findings: Sequence[Discrepancy]) -> None:
        """Add what reading a part has shown; without a comparison one of its files is not as it should be."""
        if compared is not None:
            self.parts_read += 1
            self.records_read += compared.record_count
            self.add_comparison(compared, uri)
        for finding in findings:
            self.add(finding.proof, 0, [finding])

    def raise_if_failed(self) -> None:
        """Raise CheckFailedError if anything is wrong."""
        if self.findings:
            first = self.findings[0]
            raise CheckFailedError(
                f"job {self.id}: expected results that hold, got {len(self.findings)} findings, the first: "
                f"{first.proof}, {first.where}: {first.what}"
            )
