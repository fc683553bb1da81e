"""What a job wrote, read back through its manifest, and what the contract wants it to be."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def amazon_number(value: float) -> str:
    """Spell a number as the contract says."""
    mantissa, exponent = f"{value:.6E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent)}"


def amazon_lines(columns: Sequence[Iterable[Any]]) -> list[str]:
    """Join columns to lines; numbers are spelt as the contract says, texts and labels are as they are."""
    spelt = [[amazon_number(cell) if isinstance(cell, float) else str(cell) for cell in column] for column in columns]
    return [",".join(cells) for cells in zip(*spelt, strict=True)]


def read_plainly(path: Path, texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV file with pandas alone: the named columns as text, every other one as float64."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    return frame.astype({name: "float64" for name in frame.columns if name not in texts})


def local_path(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def gunzip_lines(uri: str) -> list[str]:
    return gzip.decompress(local_path(uri).read_bytes()).decode().split("\n")[:-1]


@dataclass(frozen=True)
class Job:
    """The output folder of a job and its id."""

    output: Path
    id: str

    def path(self, ending: str) -> Path:
        return self.output / "batch-prediction" / f"{self.id}{ending}"

    @property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self.path(".manifest.json").read_bytes())
        return manifest

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.path(".json").read_bytes())
        return record

    def parts(self, name: str) -> list[dict[str, Any]]:
        """Return the manifest's parts of an input; their sizes and digests are held against the files."""
        source = next(item for item in self.manifest["inputs"] if item["uri"].endswith(f"/{name}"))
        for part in source["parts"]:
            content = local_path(part["uri"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (part["file_size_in_bytes"], part["sha256"])
        parts: list[dict[str, Any]] = source["parts"]
        return parts

    def lines(self, name: str) -> list[str]:
        """Return the header and all records of an input's result, the header of every part checked and left out."""
        header = ",".join(self.manifest["columns"])
        lines = [header]
        for part in self.parts(name):
            first, *rest = gunzip_lines(part["uri"])
            assert first == header
            assert len(rest) == part["record_count"]
            lines += rest
        return lines

    def rejected(self, name: str) -> list[dict[str, str]]:
        """Return the rows of an input's rejected files."""
        source = next(item for item in self.manifest["inputs"] if item["uri"].endswith(f"/{name}"))
        rows: list[dict[str, str]] = []
        for file in source["rejected"]:
            rows += csv.DictReader(gunzip_lines(file["uri"]))
        return rows

    def result_bytes(self) -> dict[str, bytes]:
        """Return all results and rejected files by their path."""
        folder = self.output / "batch-prediction"
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.gz"))}


def write_schema(
    path: Path, types: dict[str, str], *, row_id: str | None = None, target: str | None = None, header: bool = True
) -> None:
    """Write Amazon's schema file; ``types`` are the attributes in order."""
    schema = {
        "version": "1.0",
        "rowId": row_id,
        "targetAttributeName": target,
        "dataFormat": "CSV",
        "dataFileContainsHeader": header,
        "attributes": [{"attributeName": name, "attributeType": kind} for name, kind in types.items()],
    }
    path.write_text(json.dumps(schema))


def full_numbers(lines: Sequence[str], *columns: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return columns of result records as numbers."""
    cells = [line.split(",") for line in lines]
    return np.array([[float(record[column]) for column in columns] for record in cells])
