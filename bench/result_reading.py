"""What `batchscore results` costs on jobs of up to 100 million records: seconds, and the peak memory of its process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from batchscore.config.job_config import S3Settings
from batchscore.output.gzip_part import GzipPart
from batchscore.output.parts import WrittenFile
from batchscore.output.result_text import csv_lines, format_scientific
from batchscore.storage.factory import storage_for

HEADER = ("tag", "plan", "phone", "bestAnswer", "score")
PART_RECORDS = 500_000
DIFFERENT_PARTS = 4  # the others are further names of these files: they take no room on the disk
ASKED = {
    "--top 100": ["--top", "100", "--to", "{}/top.csv"],
    "--where, one in 400": ["--where", "score >= 0.8 and plan = 'gold'", "--to", "{}/chosen.csv"],
    "all as CSV": ["--to", "{}/all.csv"],
    "all as Parquet": ["--to", "{}/all.parquet"],
}
_MEASURED = """
import sys, time
from batchscore.cli import main
code = main(sys.argv[1:])
seconds = time.process_time()
from bench.measure import peak_bytes_of
print(seconds, peak_bytes_of())
sys.exit(code)
"""


class Cost(NamedTuple):
    """What one call of the command cost; ``peak_bytes`` is the most memory that its process held."""

    asked: str
    records: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def result_costs(work: Path, millions: int) -> Iterator[Cost]:
    """Yield the cost of each kind of call on a job of so many million records, each in a process of its own."""
    output = _committed_job(work / "results" / str(millions), millions)
    for name, arguments in ASKED.items():
        given = [argument.format(output.parent) for argument in arguments]
        command = [sys.executable, "-c", _MEASURED, "results", "bench", f"output={output}", *given]
        started = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - started
        cpu_seconds, peak_bytes = done.stdout.splitlines()[-1].split()
        yield Cost(name, millions * 1_000_000, seconds, float(cpu_seconds), int(peak_bytes))
        for path in output.parent.glob("*.*"):
            path.unlink()


def _committed_job(folder: Path, millions: int) -> Path:
    """Lay the parts and the manifest of a job; they are kept for the next time."""
    output = folder / "output"
    place = output / "batch-prediction"
    manifest = place / "bench.manifest.json"
    if not manifest.exists():
        count = millions * 1_000_000 // PART_RECORDS
        written = [_write_part(place, number) for number in range(min(count, DIFFERENT_PARTS))]
        parts = [_named_again(place, number, written[number % DIFFERENT_PARTS]) for number in range(count)]
        manifest.write_text(json.dumps(_manifest(parts)))
    return output


def _uri(place: Path, number: int) -> str:
    return f"file://{place}/result/bench-people.csv/part-{number:05d}.csv.gz"


def _write_part(place: Path, number: int) -> WrittenFile:
    chance = np.random.default_rng(number)
    scores = chance.beta(1, 3, PART_RECORDS)
    tags = np.char.add("C", np.char.zfill(np.arange(PART_RECORDS).astype(str), 9))
    plans = np.array(["basic", "silver", "gold"])[chance.integers(0, 3, PART_RECORDS)]
    phones = np.char.add("+44 20 ", chance.integers(10**7, 10**8, PART_RECORDS).astype(str))
    answers = (scores >= 0.5).astype(int).astype(str)
    columns = [tags, plans, phones, answers, format_scientific(scores).to_numpy(zero_copy_only=False)]
    part = GzipPart()
    part.write(csv_lines([[name] for name in HEADER]))
    part.write(csv_lines([pa.array(column.astype(str)).to_pylist() for column in columns]))
    written = part.store(storage_for(f"file://{place.parent}", S3Settings()), _uri(place, number))
    part.close()
    return written


def _named_again(place: Path, number: int, first: WrittenFile) -> WrittenFile:
    uri = _uri(place, number)
    if uri != first.uri and number >= DIFFERENT_PARTS:
        Path(uri.removeprefix("file://")).hardlink_to(first.uri.removeprefix("file://"))
    return WrittenFile(uri, first.file_size_in_bytes, first.sha256, first.etag)


def _manifest(parts: list[WrittenFile]) -> dict[str, object]:
    entries = [
        {"uri": part.uri, "file_size_in_bytes": part.file_size_in_bytes, "sha256": part.sha256, "etag": part.etag}
        | {"record_count": PART_RECORDS}
        for part in parts
    ]
    return {
        "format_version": 1,
        "id": "bench",
        "model": {"type": "binary", "classes": ["0", "1"]},
        "threshold": 0.5,
        "precision": "amazon",
        "columns": list(HEADER),
        "record_count": len(parts) * PART_RECORDS,
        "inputs": [{"uri": "s3://bench/people.csv", "parts": entries}],
    }
