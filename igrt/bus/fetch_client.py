"""The client's call that fetches; `igrt.bus.client.Client` has it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from igrt.bus import messages as m
from igrt.bus.errors import RefusedError

FETCH_TIMEOUT_S = 180.0
_MessageT = TypeVar("_MessageT", bound=m.Message)


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """A whole content, its SHA-256 checked; `grid` is None for contours and radiographs."""

    version: str
    grid: m.ImageGrid | None
    data: bytes
    radiographs: list[m.RadiographFrame] | None = None

    @property
    def hu(self) -> NDArray[np.int16]:
        """Of a volume: Hounsfield units, [k, j, i]."""
        if self.grid is None:
            raise ValueError("this is no volume; ask for structures or frames")
        return np.frombuffer(self.data, "<i2").reshape(self.grid.shape_kji)

    @property
    def frames(self) -> NDArray[np.uint16]:
        """Of radiographs: stored values, [frame, row, column]."""
        if not self.radiographs:
            raise ValueError("this is no radiograph; ask for hu or structures")
        return np.frombuffer(self.data, "<u2").reshape(len(self.radiographs), *self.radiographs[0].shape)

    @property
    def structures(self) -> list[m.FetchedStructure]:
        """Of contours."""
        return msgspec.msgpack.decode(self.data, type=list[m.FetchedStructure])


class FetchCalls(ABC):
    """Reads what the engine has."""

    @abstractmethod
    def _header(self) -> m.Header: ...

    @abstractmethod
    def _request(self, request: m.Message, reply_type: type[_MessageT], *, timeout_s: float) -> _MessageT: ...

    def fetch_chunk(
        self, what: Literal["plan_ct", "contours", "daily_image"], content_id: str, *, version: str | None = None, offset_bytes: int = 0
    ) -> m.FetchReply:
        """One chunk. RefusedError: `unknown_content`, or `changed_content` where `version` is no longer there."""
        request = m.Fetch(header=self._header(), what=what, content_id=content_id, version=version, offset_bytes=offset_bytes)
        return self._request(request, m.FetchReply, timeout_s=FETCH_TIMEOUT_S)

    def fetch(
        self,
        what: Literal["plan_ct", "contours", "daily_image"],
        content_id: str,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Fetched:
        """A whole content, chunk by chunk; `progress` hears bytes had, and in all."""
        chunk = self.fetch_chunk(what, content_id)
        data = bytearray(chunk.data)
        while len(data) < chunk.total_bytes:
            if progress:
                progress(len(data), chunk.total_bytes)
            chunk = self.fetch_chunk(what, content_id, version=chunk.version, offset_bytes=len(data))
            data += chunk.data
        if progress:
            progress(len(data), chunk.total_bytes)
        if hashlib.sha256(data).hexdigest() != chunk.version:
            raise RefusedError("changed_content", f"{what} {content_id} came damaged; fetch it again")
        return Fetched(version=chunk.version, grid=chunk.grid, data=bytes(data), radiographs=chunk.radiographs)
