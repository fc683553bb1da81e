"""A file that breaks while it is read, and a disk that is full."""

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager


class BreaksAtRead(io.BytesIO):
    """Raises OSError at the n-th read."""

    def __init__(self, content: bytes, nth: int) -> None:
        super().__init__(content)
        self._left = nth

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if not self._left:
            raise OSError("broken")
        return super().read(size)


@contextmanager
def full_disk(room_in_bytes: int) -> Iterator[None]:
    """Let no file of this process grow further: a write fails as on a full disk, with an OSError of its own."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_in_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
