"""Files that are on the disk whole when they are closed, or that raise.

What a manifest names is written through `DurableFile`: every error of writing, flushing and
closing is raised, and the file is as long as what was written to it before anybody measures it.
Libraries that write a file themselves may lose errors: C's ``fclose`` writes the last buffer, and
numpy's ``save`` and ``tofile`` and FAISS's ``write_index`` ignore what it returns.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt


class DurableFile:
    """A new file, for libraries that write to an object with a method ``write``.

    Used in a ``with``: where that ends without an error, everything is on the disk. numpy takes
    the object for no real file and writes through it.
    """

    def __init__(self, path: Path) -> None:
        """Create the file, or empty the one that is there.

        Raises:
            OSError: it cannot be created.
        """
        self.path = path
        self.size = 0
        self._descriptor: int | None = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666
        )

    def write(self, data: Any) -> int:
        """Append all bytes of a buffer, and return how many they are.

        Raises:
            OSError: not all of them could be written.
        """
        if self._descriptor is None:
            raise ValueError(f"{self.path} is closed")
        view = memoryview(data)
        count = view.nbytes
        rest = view.cast("B") if count else view
        while count and rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.size += count
        return count

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._descriptor is None

    def close(self) -> None:
        """Flush the file to the disk and close it; once is enough.

        Raises:
            OSError: not everything is on the disk.
        """
        if self._descriptor is None:
            return
        try:
            os.fsync(self._descriptor)
            length = os.fstat(self._descriptor).st_size
        except BaseException:
            self.abandon()
            raise
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)
        if length != self.size:
            raise OSError(
                errno.EIO, f"{length} of {self.size} bytes were stored", os.fspath(self.path)
            )

    def abandon(self) -> None:
        """Close a file that is given up."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as a ``.npy`` file.

    Raises:
        OSError: it could not be written whole.
    """
    with DurableFile(path) as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, *, mapped: bool = True) -> npt.NDArray[Any]:
    """Read a ``.npy`` file of numbers, or map it read-only.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged; numpy says so in many other ways too.
    """
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"no header of an array ({type(error).__name__})") from error
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive where an array was expected")
    return array
