"""An input or a byte range of it -> blocks of its records, from a store; CSV with the contract's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from batchscore.config.job_config import S3Settings
from batchscore.errors import InputError
from batchscore.input import blocks
from batchscore.input.blocks import Block
from batchscore.input.csv_lines import UTF8_MARK, MalformedRecordError, TextFormat, decode_header
from batchscore.input.files import InputFile
from batchscore.storage.factory import storage_for


def input_blocks(source: InputFile, s3: S3Settings, start: int, stop: int | None) -> Iterator[Block]:
    """Yield the records whose first byte lies in [start, stop), header record and byte-order mark included.

    A compressed input is counted in decompressed bytes and read from its start; ``stop`` None is the end.
    """
    storage = storage_for(source.source.uri, s3)
    size = source.source.size_in_bytes

    def read(first: int, last: int) -> bytes:
        return storage.read_range(source.source, first, last)

    planned = size if stop is None else min(stop, size)
    if source.compression:
        chunks = blocks.read_ranges(read, 0, planned, size)
        content = blocks.decompressed(chunks, source.compression, source.source.uri) if size else iter(())
        yield from blocks.ending_here(blocks.read_blocks(content, 0, 0, stop), stop)
    else:
        origin = max(start - 1, 0)
        content = blocks.read_ranges(read, origin, planned, size)
        yield from blocks.ending_at(blocks.read_blocks(content, origin, start, planned), size)


def take_header(block: Block, source: InputFile, text: TextFormat, has_header: bool) -> tuple[list[str] | None, Block]:
    """Take byte-order mark and header record off the first block of an input.

    Returns the header's names, None for inputs without headers, and the rest. Raises InputError.
    """
    uri = source.source.uri
    blocks.check_content(uri, block.data, source.compression)
    skipped = len(UTF8_MARK) if text.encoding == "utf-8" and block.data.startswith(UTF8_MARK) else 0
    names = None
    if has_header:
        end = block.data.find(b"\n", skipped) + 1 or len(block.data)
        if len(block.data[skipped:end].rstrip(b"\r\n")) > blocks.MAX_RECORD_BYTES:
            raise InputError(f"header of {uri}: expected at most {blocks.MAX_RECORD_BYTES} bytes, got more")
        try:
            names = decode_header(block.data[skipped:end], text)
        except MalformedRecordError as error:
            raise InputError(f"header of {uri}: expected a record of names, got one with {error}") from None
        skipped = end
    return names, replace(block, offset=block.offset + skipped, data=block.data[skipped:])
