"""A file that breaks while it is read."""

import io


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
