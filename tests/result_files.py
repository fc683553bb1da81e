"""Results of a committed job laid by hand: an extended manifest and its parts, byte for byte as a test says."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BINARY = {"type": "binary", "classes": ["0", "1"]}


def part_entry(uri: str, content: bytes, record_count: int) -> dict[str, Any]:
    """Return what a manifest says of a part."""
    return {
        "uri": uri,
        "record_count": record_count,
        "file_size_in_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "etag": "1",
    }


def manifest(batch_id: str, columns: Sequence[str], inputs: Sequence[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """Return an extended manifest with what readers of results need, by default of a binary model."""
    counts = [part["record_count"] for item in inputs for part in item["parts"]]
    return {
        "format_version": 1,
        "id": batch_id,
        "model": BINARY,
        "threshold": 0.5,
        "precision": "amazon",
        "columns": list(columns),
        "record_count": sum(counts),
        "inputs": list(inputs),
    } | keys


class LaidJob:
    """A committed job below ``output``: for each input the texts of its parts, without their headers."""

    def __init__(
        self, folder: Path, header: str, inputs: Mapping[str, Sequence[str]], batch_id: str = "bp-1", **keys: Any
    ) -> None:
        self.output, self.batch_id = folder / "output", batch_id
        self.folder = self.output / "batch-prediction"
        columns = keys.pop("columns", header.split(","))
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for name, texts in inputs.items():
            parts = [self._part(name, number, f"{header}\n{text}") for number, text in enumerate(texts)]
            entries.append({"uri": f"s3://in/{name}", "parts": parts})
        self.manifest = manifest(batch_id, columns, entries, **keys)
        self.write_manifest()

    def _part(self, name: str, number: int, text: str) -> dict[str, Any]:
        path = self.path(name, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = gzip.compress(text.encode(), mtime=0)
        path.write_bytes(content)
        return part_entry(f"file://{path}", content, text.count("\n") - 1)

    def path(self, name: str, number: int = 0) -> Path:
        """Return the file of a part."""
        return self.folder / "result" / f"{self.batch_id}-{name}" / f"part-{number:05d}.csv.gz"

    def write_manifest(self) -> None:
        """Commit what ``manifest`` is by now."""
        (self.folder / f"{self.batch_id}.manifest.json").write_text(json.dumps(self.manifest))

    def write_record(self, status: str = "COMPLETED", finished_at: int | None = 1) -> None:
        """Write the record of the job."""
        names = ("Name", "MLModelId", "BatchPredictionDataSourceId", "InputDataLocationS3", "OutputUri")
        record: dict[str, Any] = dict.fromkeys(names, "x") | {"BatchPredictionId": self.batch_id, "Status": status}
        record |= {"CreatedAt": 1, "LastUpdatedAt": 1, "FinishedAt": finished_at, "Parameters": {}}
        (self.folder / f"{self.batch_id}.json").write_text(json.dumps(record))
