"""Inputs full of rubbish, and inputs with odd names: each good record gets its prediction at its place."""

import gzip
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchscore.errors import InputError
from tests.faults.bench import ID, SOAK_SEEDS, Bench
from tests.s3.loans import content_of, make_people

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HEADER = b"id,age,amount\n"
WIDTH = 20_000
_WIDE = [f"{number:x}" for number in range(WIDTH)]

# Each file, and the tags of its records in order: None for one without a prediction.
CONTENTS: dict[str, tuple[bytes, list[str | None]]] = {
    "nul.csv": (HEADER + b"n1,30,100\nn\0,30,100\nn3,3\x000,100\nn4,40,200\n", ["n1", "n\0", None, "n4"]),
    "quotes.csv": (
        HEADER + b'q1,30,100\n"q2,30,100\nq3",30,100\nq"4,30,100\n"q5"x,30,100\n"q,6",40,200\n',
        ["q1", None, None, 'q"4', None, "q,6"],  # "q2 to q3" is one value with a line end in it
    ),
    "ends.csv": (
        HEADER + b"e1,30,100\r\ne2,40,200\ne3,50,300\r\n\r\n\ne4,60,400",
        ["e1", "e2", "e3", None, None, "e4"],
    ),
    "returns.csv": (HEADER + b"r1,30,100\rr2,40,200\nr3,50,300\n", [None, "r3"]),
    "mark.csv": (HEADER + "m1,30,100\n\ufeffm2,40,200\nm3,\ufeff50,300\n".encode(), ["m1", "\ufeffm2", None]),
    "latin.csv": (HEADER + b"l1,30,100\nl\xe92,40,200\nl3,50,300\n", ["l1", None, "l3"]),
    "long.csv": (HEADER + b"g1,30,100\n" + b"g" * 300_000 + b",40,200\ng3,50,300\n", ["g1", None, "g3"]),
    "wide.csv": (
        f"{','.join(_WIDE)},id,age,amount\n{',' * WIDTH}w1,30,100\n{',' * (WIDTH - 1)}w2,40,200\n".encode(),
        ["w1", None],
    ),
    "whole.csv.gz": (gzip.compress(HEADER + b"z1,30,100\n") + gzip.compress(b"z2,40,200\n"), ["z1", "z2"]),
    "empty.csv": (b"", []),
    "header.csv": (HEADER, []),
}


def put(s3: "S3Client", bucket: str, contents: dict[str, bytes]) -> None:
    for key in ("in/a.csv", "in/b.csv.gz", "in/c.csv"):
        s3.delete_object(Bucket=bucket, Key=key)
    for name, content in contents.items():
        s3.put_object(Bucket=bucket, Key=f"in/{name}", Body=content)


def records_of(s3: "S3Client", item: dict[str, Any]) -> list[str]:
    """Return the records of an input's result."""
    texts = [gzip.decompress(content_of(s3, part["uri"])).decode() for part in item["parts"]]
    return [line for text in texts for line in text.split("\n")[1:-1]]


def tag_of(record: str) -> str | None:
    """Return the tag of a result's record, None of one without a prediction."""
    if record.endswith(","):
        return None
    tag = record.rpartition(",")[0].rpartition(",")[0]
    return tag[1:-1].replace('""', '"') if tag.startswith('"') else tag


@pytest.mark.parametrize("split_bytes", [60, 1_000_000])
def test_each_record_among_rubbish_has_its_line_and_each_good_one_its_prediction(
    split_bytes: int, bench: Bench, s3: "S3Client"
) -> None:
    # Cut into such small splits, the long and the wide file would be thousands of tasks.
    names = [name for name in CONTENTS if split_bytes > 60 or name not in {"long.csv", "wide.csv"}]
    put(s3, bench.bucket, {name: CONTENTS[name][0] for name in names})
    keys = {"split_bytes": split_bytes}

    bench.run(**keys)

    manifest = bench.prove(**keys)
    found = {item["uri"].rpartition("/")[2]: [*map(tag_of, records_of(s3, item))] for item in manifest["inputs"]}
    assert found == {name: CONTENTS[name][1] for name in names}


def test_a_line_of_50_megabytes_is_one_line_without_a_prediction_in_whatever_split_it_lies(
    bench: Bench, s3: "S3Client"
) -> None:
    huge = HEADER + b"h1,30,100\n" + b"h" * 50_000_000 + b",40,200\nh3,50,300\n"
    put(s3, bench.bucket, {"huge.csv": huge, "huge.csv.gz": gzip.compress(huge, 1)})
    keys = {"split_bytes": 10_000_000}

    bench.run(**keys)

    plain, compressed = bench.prove(**keys)["inputs"]
    assert [*map(tag_of, records_of(s3, plain))] == [*map(tag_of, records_of(s3, compressed))] == ["h1", None, "h3"]
    assert len(plain["parts"]) == 6


# What is no such file at all


def bit_flipped(content: bytes, bit: int) -> bytes:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


PACKED = gzip.compress(make_people(60, seed=3).to_csv(index=False).encode(), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.csv.gz", PACKED[: len(PACKED) // 2], "expected a whole gzip stream"),
        ("flipped.csv.gz", bit_flipped(PACKED, len(PACKED) * 4), "expected a whole gzip stream"),
        ("fake.csv.gz", HEADER + b"1,30,100\n", "expected a whole gzip stream"),
        ("packed.csv", PACKED, "expected plain text, got gzip data"),
        ("lines.csv", b"\n" * 50, "expected columns|expected a record of names|expected column"),
    ],
    ids=["cut", "flipped", "fake", "packed", "only_newlines"],
)
def test_a_file_that_is_not_what_it_says_ends_the_job_by_its_name_before_it_has_written_anything(
    name: str, content: bytes, message: str, bench: Bench, s3: "S3Client"
) -> None:
    s3.put_object(Bucket=bench.bucket, Key=f"in/{name}", Body=content)

    with pytest.raises(InputError, match=message) as raised:
        bench.run()

    assert f"/in/{name}" in str(raised.value)
    assert bench.proxy.seen("PUT") == []
    s3.delete_object(Bucket=bench.bucket, Key=f"in/{name}")
    bench.run()
    bench.prove()


def test_a_file_of_only_newlines_is_an_invalid_record_for_each_but_the_last(bench: Bench, s3: "S3Client") -> None:
    keys = {"has_header": False}
    put(s3, bench.bucket, {"lines.csv": b"\n" * 50})
    with pytest.raises(InputError, match=r"/in/lines\.csv: expected records, got blank lines in 49 of 49"):
        bench.run(**keys)  # alone it is no file of records

    people = make_people(60, seed=3).to_csv(index=False, header=False).encode()
    put(s3, bench.bucket, {"lines.csv": b"\n" * 50, "people.csv": people})
    bench.run(**keys)

    item, _ = bench.prove(**keys)["inputs"]
    assert records_of(s3, item) == [",,"] * 49


@pytest.mark.skipif(not SOAK_SEEDS, reason="draws bits in a soak alone")
@pytest.mark.parametrize("seed", range(SOAK_SEEDS or 1))
def test_a_flipped_bit_of_a_compressed_file_fails_the_job_which_mended_completes_or_changes_nothing(
    seed: int, bench: Bench, s3: "S3Client"
) -> None:
    bit = random.Random(seed).randrange(len(PACKED) * 8)
    put(s3, bench.bucket, {"b.csv.gz": PACKED})
    bench.run(id="whole")
    (whole,) = bench.prove(id="whole")["inputs"]
    put(s3, bench.bucket, {"b.csv.gz": bit_flipped(PACKED, bit)})

    try:
        bench.run()
    except InputError as error:
        assert "/in/b.csv.gz: expected" in str(error)  # noqa: PT017 - either end is right
        assert bench.proxy.seen("PUT", f"/{ID}.") == []  # so the id is bound to no file
        put(s3, bench.bucket, {"b.csv.gz": PACKED})
        bench.run()
    (item,) = bench.prove()["inputs"]  # of the mended file, or of a bit that means nothing, such as of the time
    assert records_of(s3, item) == records_of(s3, whole)


# Names

NAMES = [
    *("a b.csv", "50%.csv", "50%25.csv", "a+b.csv", "#1.csv", "[1].csv", "a*.csv", "what?.csv", "x=1&y=2.csv"),
    *("Grüße/日本.csv", "_SUCCESS.csv", ".hidden.csv", "_temporary/0/x.csv", "..a.csv", "a..b.csv", "...csv", "-.csv"),
    *("a'b.csv", 'a"b.csv', "a\\b.csv", "a;b.csv", "~.csv", "part-00000.csv.gz.csv", "job.manifest.csv", "{x}.csv"),
]
ALL_NAMES = {"include": ["*", "_*", ".*"]}
NAMES_OF_KEYS = ["../up.csv", "./here.csv", "a//b.csv", "a/../b.csv", "/root.csv"]


def file_of(number: int) -> bytes:
    return HEADER + f"t{number},30,100\n".encode()


def test_odd_names_of_objects_are_scored_each_for_itself(bench: Bench, s3: "S3Client") -> None:
    names = [*NAMES, *NAMES_OF_KEYS]
    put(s3, bench.bucket, {name: file_of(number) for number, name in enumerate(names)})

    bench.run(**ALL_NAMES)

    manifest = bench.prove(**ALL_NAMES)
    assert manifest["skipped"] == [{"uri": f"s3://{bench.bucket}/in/.schema", "reason": "schema"}]
    found = {item["uri"]: [*map(tag_of, records_of(s3, item))] for item in manifest["inputs"]}
    assert found == {f"s3://{bench.bucket}/in/{name}": [f"t{number}"] for number, name in enumerate(names)}
    results = f"s3://{bench.bucket}/out/batch-prediction/result/{ID}-"
    assert all(item["result"].startswith(results) for item in manifest["inputs"])
    assert len({item["result"] for item in manifest["inputs"]}) == len(names)


def test_odd_names_of_local_files_are_scored_each_for_itself(bench: Bench, s3: "S3Client", tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file_of(number))
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "schema": f"s3://{bench.bucket}/in/.schema"} | ALL_NAMES

    bench.run(**keys)

    manifest = bench.prove(**keys)
    found = {item["uri"]: [*map(tag_of, records_of(s3, item))] for item in manifest["inputs"]}
    assert found == {f"file://{tmp_path}/in/{name}": [f"t{number}"] for number, name in enumerate(NAMES)}
