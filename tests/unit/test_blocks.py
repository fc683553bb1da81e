import bz2
import gc
import gzip
import io
import random
import threading
import tracemalloc
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchscore.errors import InputError, ObjectChangedError
from batchscore.input.blocks import (
    CHUNK_BYTES,
    MAX_RECORD_BYTES,
    TAIL_BYTES,
    Block,
    check_content,
    compression_of,
    decompressed,
    empty_last_line,
    ending_here,
    inflated,
    read_ahead,
    read_blocks,
    read_ranges,
)


def pieces(content: bytes, size: int) -> Generator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def records_of(blocks: Iterator[Block]) -> list[tuple[int, bytes]]:
    records = []
    for block in blocks:
        offset = block.offset
        for line in io.BytesIO(block.data):
            records.append((offset, line))
            offset += len(line)
    return records


def records_of_splits(content: bytes, split_bytes: int, chunk_bytes: int) -> list[tuple[int, bytes]]:
    records = []
    for start in range(0, max(len(content), 1), split_bytes):
        origin = max(start - 1, 0)
        chunks = pieces(content[origin:], chunk_bytes)
        records += records_of(read_blocks(chunks, origin, start, min(start + split_bytes, len(content))))
    return records


@given(st.text(alphabet="ab\r\n", max_size=60).map(str.encode), st.integers(1, 70), st.integers(1, 70))
def test_every_record_is_in_exactly_one_split_at_its_offset(content: bytes, split_bytes: int, chunk_bytes: int) -> None:
    assert records_of_splits(content, split_bytes, chunk_bytes) == records_of(iter([Block(0, content)]))


def test_a_record_belongs_to_the_split_in_which_it_begins() -> None:
    content = b"aaa\nbbb\nccc"
    assert records_of_splits(content, 4, 3) == [(0, b"aaa\n"), (4, b"bbb\n"), (8, b"ccc")]
    assert records_of(read_blocks(pieces(content[3:], 2), 3, 4, 5)) == [(4, b"bbb\n")]
    assert records_of(read_blocks(pieces(content[4:], 2), 4, 5, 8)) == []


def test_a_record_over_the_limit_is_cut_and_the_next_keeps_its_offset() -> None:
    content = b"x" * 300_000 + b"\nnext\n"
    long, following = list(read_blocks(pieces(content, 50_000), 0, 0, len(content)))
    assert long.offset == 0
    assert MAX_RECORD_BYTES < len(long.data) - 1 < 2 * MAX_RECORD_BYTES
    assert following == Block(300_001, b"next\n")


def test_a_record_of_just_the_limit_is_whole_with_any_line_end() -> None:
    for end in (b"\n", b"\r\n", b""):
        content = b"x" * MAX_RECORD_BYTES + end
        (block,) = read_blocks(pieces(content, 1000), 0, 0, len(content))
        assert block.data == content


def test_a_carriage_return_just_past_the_limit_does_not_make_a_long_record_a_short_one() -> None:
    content = b"x" * MAX_RECORD_BYTES + b"\r" + b"y" * 50_000
    (block,) = read_blocks(pieces(content, MAX_RECORD_BYTES + 1), 0, 0, len(content))
    assert len(block.data.removesuffix(b"\n").removesuffix(b"\r")) > MAX_RECORD_BYTES


def test_a_line_of_50_megabytes_takes_bounded_memory() -> None:
    chunk = b"x" * 1_000_000

    def chunks() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(chunk)
        yield b"\nend\n"

    tracemalloc.start()
    found = [(block.offset, len(block.data)) for block in read_blocks(chunks(), 0, 0, None)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found[-1] == (50_000_001, 4)
    assert len(found) == 2
    assert peak < 5_000_000


def test_a_long_record_over_several_splits_is_in_the_first_alone() -> None:
    content = b"a\n" + b"x" * 400_000 + b"\nb\n"
    records = records_of_splits(content, 100_000, 30_000)
    assert [offset for offset, _ in records] == [0, 2, 400_003]


def test_read_ahead_fetches_one_chunk_while_the_one_before_is_used() -> None:
    fetched = []

    def chunks() -> Iterator[bytes]:
        for number in range(5):
            fetched.append(number)
            yield b"%d" % number

    reading = read_ahead(chunks())
    assert next(reading) == b"0"
    next(reading)
    assert len(fetched) <= 3
    assert list(reading) == [b"2", b"3", b"4"]


def test_an_error_of_the_reader_passes_unchanged() -> None:
    def chunks() -> Generator[bytes]:
        yield gzip.compress(b"a\n")[:15]
        raise ObjectChangedError("input x: expected etag 1, got 2")

    with pytest.raises(ObjectChangedError, match="got 2"):
        list(read_blocks(read_ahead(chunks()), 0, 0, 100))
    with pytest.raises(ObjectChangedError, match="got 2"):
        list(decompressed(chunks(), "gzip", "x"))


def test_what_lies_past_a_split_is_read_only_when_asked_for() -> None:
    asked = []

    def read(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return b"x" * (stop - start - 1) + b"\n"

    size = 10 * TAIL_BYTES
    list(read_blocks(read_ranges(read, 0, 100, size), 0, 0, 100))
    assert asked == [(0, 100 + TAIL_BYTES)]


@pytest.mark.parametrize("name", ["gzip", "bz2"])
def test_compressed_inputs_are_read_through_all_their_members(name: str) -> None:
    compress = gzip.compress if name == "gzip" else bz2.compress
    content = compress(b"a\nb\n") + compress(b"c\n")
    assert b"".join(decompressed(pieces(content, 3), name, "x")) == b"a\nb\nc\n"


def test_what_is_decompressed_is_not_copied_before_at_each_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchscore.input.blocks.CHUNK_BYTES", 64 * 1024)  # of what comes out
    content = gzip.compress(random.Random(1).randbytes(4 * 1024 * 1024))
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in inflated(pieces(content, len(content)), "gzip", "x"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 4 * 1024 * 1024
    assert peak < 512 * 1024


def test_an_empty_bz2_member_between_others_is_refused_by_name_not_read_in_part() -> None:
    content = bz2.compress(b"a\n") + bz2.compress(b"") + bz2.compress(b"b\n")
    with pytest.raises(InputError, match="input x: expected a whole bz2 stream"):
        list(decompressed(pieces(content, 100), "bz2", "x"))


def test_a_damaged_compressed_input_leaves_no_thread_behind() -> None:
    content = b"\x1f\x8b" + b"x" * 1000

    def read(start: int, stop: int) -> bytes:
        return content[start:stop]

    gc.disable()  # which would end the threads some time, and could do so while another one starts
    try:
        with pytest.raises(InputError) as raised:  # held, as where the faults of many inputs are gathered
            list(decompressed(read_ranges(read, 0, len(content), len(content)), "gzip", "x"))
        left = [thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")]
    finally:
        gc.enable()
    assert left == []
    assert str(raised.value)


@pytest.mark.parametrize("damage", ["cut", "flipped", "not compressed"])
def test_a_damaged_compressed_input_is_an_error_by_its_name(damage: str) -> None:
    whole = gzip.compress(bytes(range(256)) * 50)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    content = {"cut": whole[:-20], "flipped": bytes(flipped), "not compressed": b"id,a\n1,2\n"}[damage]
    with pytest.raises(InputError, match=r"input s3://b/x\.gz: expected a whole gzip stream"):
        list(decompressed(pieces(content, 100), "gzip", "s3://b/x.gz"))


@pytest.mark.parametrize(
    ("head", "told"),
    [(b"\xff\xfea\0", "UTF-16"), (b"\x1f\x8b\x08", "gzip"), (b"BZh91AY&SY", "bzip2"), (b"\x28\xb5\x2f\xfd", "zstd")],
)
def test_content_that_is_no_text_is_refused_by_its_first_bytes(head: bytes, told: str) -> None:
    for compression in (None, "gzip"):
        with pytest.raises(InputError, match=told):
            check_content("s3://b/x.csv", head, compression)


def test_text_that_only_begins_like_a_compressed_file_is_text() -> None:
    check_content("s3://b/x.csv", b"BZh,a\n", None)


@pytest.mark.parametrize(
    ("uri", "name"), [("a.csv", None), ("a.csv.gz", "gzip"), ("a.BZ2", "bz2"), ("a.zst", "zstd"), ("gz", None)]
)
def test_the_name_tells_the_compression(uri: str, name: str | None) -> None:
    assert compression_of(uri) == name


@pytest.mark.parametrize(
    ("data", "line"),
    [
        *((b"", b""), (b"a", b""), (b"a\n", b""), (b"a\r\n", b""), (b"a\r", b""), (b"a\n\r\r\n", b""), (b"\r\r", b"")),
        *(
            (b"\n", b"\n"),
            (b"\r\n", b"\r\n"),
            (b"\r", b"\r"),
            (b"a\n\n", b"\n"),
            (b"a\n\r\n", b"\r\n"),
            (b"a\n\r", b"\r"),
        ),
        *((b"a\n \n", b""), (b"\n\n\n", b"\n"), (b"a\r\n\n", b"\n")),
    ],
)
def test_an_empty_last_line_is_one_of_a_line_end_alone(data: bytes, line: bytes) -> None:
    assert empty_last_line(data) == line


@given(st.lists(st.text(alphabet="a\r\n", min_size=1, max_size=6).map(lambda text: text.encode() + b"\n"), max_size=6))
def test_what_is_held_back_of_a_compressed_input_comes_at_its_place(contents: list[bytes]) -> None:
    content = b"".join(contents)
    offsets = [0]
    for data in contents:
        offsets.append(offsets[-1] + len(data))
    given_blocks = [Block(offset, data) for offset, data in zip(offsets, contents, strict=False)]

    found = list(ending_here(iter(given_blocks), None))

    assert records_of(iter(found)) == records_of(iter([Block(0, content)]))
    told = [block.data for block in found if block.ends_input]
    assert told == ([empty_last_line(content)] if empty_last_line(content) else [])


def test_nothing_but_an_empty_line_is_held_back_of_a_compressed_input() -> None:
    given_blocks = iter([Block(0, b"a\n"), Block(2, b"b\n\n"), Block(5, b"c\n")])
    blocks = ending_here(given_blocks, None)
    assert (next(blocks).data, next(blocks).data) == (b"a\n", b"b\n")
    assert next(given_blocks).data == b"c\n"
    assert [block.data for block in blocks] == [b"\n"]


def test_an_empty_line_at_the_end_of_a_range_that_was_read_ends_no_input() -> None:
    for stop, ends in ((3, False), (4, True)):
        (_, line) = ending_here(read_blocks(pieces(b"a\n\n", 3), 0, 0, stop), stop)
        assert line == Block(2, b"\n", ends_input=ends)


def test_a_thread_reads_ahead_where_there_is_something_ahead_and_none_does_for_one_chunk() -> None:
    def readers(size: int) -> list[bool]:
        threads: list[bool] = []

        def read(start: int, stop: int) -> bytes:
            threads.append(threading.current_thread() is threading.main_thread())
            return b"x" * (stop - start)

        assert sum(map(len, read_ranges(read, 0, size, size))) == size
        return threads

    assert readers(0) == []
    assert readers(CHUNK_BYTES) == [True]
    assert readers(CHUNK_BYTES + 1) == [False, False]
