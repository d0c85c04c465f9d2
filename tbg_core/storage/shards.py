"""Append-only numbered shards of arrays: what a killed job had finished is there when it resumes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tbg_core.errors import StorageError
from tbg_core.storage.atomic import read_json, sha256, write_atomically, write_json

_NAME = re.compile(r"^shard-(\d{6})\.safetensors$")
MANIFEST = "manifest.json"
_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I16": "<i2", "U16": "<u2", "U8": "u1"}


class ShardStore:
    """A folder of shards, each a safetensors file written once, and a manifest of their hashes.

    A shard exists if its file does (files appear by rename, whole); the manifest is derived from the files, so
    that several processes may write different shards at a time.

    Args:
        folder: Created on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, index: int) -> Path:
        """File of a shard."""
        return self.folder / f"shard-{index:06d}.safetensors"

    @property
    def indices(self) -> list[int]:
        """Shards that are complete, ascending."""
        if not self.folder.is_dir():
            return []
        matches = (_NAME.match(entry.name) for entry in self.folder.iterdir())
        return sorted(int(match.group(1)) for match in matches if match)

    def write(self, index: int, arrays: dict[str, np.ndarray]) -> None:
        """Writes a shard; equal arrays give equal bytes."""
        contiguous = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
        write_atomically(self.path(index), lambda temporary: save_file(contiguous, temporary))

    def read(self, index: int, names: list[str] | None = None) -> dict[str, np.ndarray]:
        """Arrays of a shard, all or those in ``names``.

        Raises:
            StorageError: If the shard is missing, torn, or lacks an array.
        """
        path = self.path(index)
        try:
            with safe_open(path, framework="np") as shard:
                return {name: shard.get_tensor(name) for name in (names or shard.keys())}
        except (OSError, SafetensorError) as error:
            raise StorageError(
                f"shard {path} cannot be read: {error}.",
                fix="Delete that file and run the same command with --resume; it is made again.",
            ) from error

    def memory_map(self, index: int, name: str) -> np.ndarray:
        """An array of a shard that stays on disk until it is read.

        Raises:
            StorageError: If the shard is missing, torn, or lacks the array.
        """
        path = self.path(index)
        try:
            with path.open("rb") as handle:
                size = int.from_bytes(handle.read(8), "little")
                header = json.loads(handle.read(size))
            entry = header[name]
            shape, first = tuple(entry["shape"]), entry["data_offsets"][0]
            # The format: eight bytes that hold the size of the header, the header, the arrays.
            return np.memmap(path, _DTYPES[entry["dtype"]], "r", offset=8 + size + first, shape=shape)
        except (OSError, ValueError, KeyError) as error:
            raise StorageError(
                f"shard {path} cannot be mapped: {error!r}.",
                fix="Delete that file and run the same command with --resume; it is made again.",
            ) from error

    def concatenate(self, names: list[str] | None = None, row_numbers: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
        """All shards joined along the first axis, in order of their numbers.

        Args:
            names: Arrays to read; all by default.
            row_numbers: Arrays that number the rows of their own shard, and are made to number those of the whole.

        Raises:
            StorageError: If there is no shard.
        """
        parts = [self.read(index, names) for index in self.indices]
        if not parts:
            raise StorageError(f"{self.folder} holds no shards.", fix="Has the job finished its first block?")
        start = 0
        for part in parts:
            size = len(next(iter(part.values())))
            for name in part.keys() & set(row_numbers):
                part[name] = part[name] + start
            start += size
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def seal(self, **description: Any) -> None:
        """Writes the manifest: name and sha256 of each shard, and ``description``."""
        shards = {self.path(i).name: sha256(self.path(i)) for i in self.indices}
        write_json(self.folder / MANIFEST, {"schema": 1, "shards": shards, **description})

    def verify(self) -> None:
        """Compares the shards with the manifest.

        Raises:
            StorageError: Naming the first shard that is missing or altered.
        """
        for name, digest in read_json(self.folder / MANIFEST)["shards"].items():
            path = self.folder / name
            if not path.is_file() or sha256(path) != digest:
                raise StorageError(f"{path} is missing or was altered after it was written.")
