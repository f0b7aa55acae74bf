"""Sending one image: slabs pipelined within the engine's credit, sent again where damaged, resumed where broken off."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import zmq
from numpy.typing import NDArray

from igrt.bus import messages as m
from igrt.bus.errors import EngineSilentError, refused
from igrt.bus.topics import SLAB_REPLIES, decode

Slices = NDArray[np.int16 | np.uint16]
Progress = Callable[[int, int], None]
RESUME_S = 2.0
ATTEMPTS = 8
PAUSE_S = 0.02
_SEND_AGAIN = ("bad_slab", "no_credit")


@dataclass(frozen=True, slots=True)
class _Sent:
    k_start: int
    slab: Slices
    attempts: int


class Transfer:
    """An image that has begun: `send` slabs in any order, then `end`."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        begin: Callable[[], m.BeginImageReply],
        end: Callable[[m.CouchReadout | None], m.EndImageReply],
        header: Callable[[], m.Header],
        *,
        shape_kji: tuple[int, int, int],
        timeout_s: float,
        dtype: Literal["int16", "uint16"] = "int16",
    ) -> None:
        """`begin` announces the image, and again where it broke off; `timeout_s` is the longest wait for any acknowledgement.

        `dtype` is as announced: int16 of a volume, uint16 of radiographs, a frame for a slice.
        """
        self._socket, self._begin, self._end, self._header = socket, begin, end, header
        self._shape_kji, self._timeout_s, self._dtype = shape_kji, timeout_s, dtype
        self._sent: dict[str, _Sent] = {}
        reply = begin()
        self.image_id, self.missing = reply.image_id, reply.missing
        self._credit, self._largest_bytes = reply.credit_slabs, reply.largest_slab_bytes

    @property
    def slices_stored(self) -> int:
        """Slices that the engine has acknowledged as on its disk (at least; it lists at most 64 missing ranges)."""
        return self._shape_kji[0] - sum(b - a for a, b in self.missing)

    def send(self, k_start: int, slab: Slices) -> None:
        """Send slices from `k_start` on, int16 HU or uint16 pixels (slices, rows, columns); waits only while the credit is used up.

        EngineSilentError where the engine acknowledges nothing in time; RefusedError where it refuses.
        """
        if slab.dtype != self._dtype or slab.shape[1:] != self._shape_kji[1:]:
            raise ValueError(f"slab is {slab.dtype} of shape {slab.shape}; give {self._dtype} slices of {self._shape_kji[1:]}")
        if slab.nbytes > self._largest_bytes:
            raise ValueError(f"slab has {slab.nbytes} bytes; the engine takes {self._largest_bytes} at a time, give fewer slices")
        self._wait(until=lambda: len(self._sent) < self._credit)
        self._send(_Sent(k_start, np.ascontiguousarray(slab, dtype=f"<{slab.dtype.str[1:]}"), 1))

    def drain(self) -> None:
        """Wait until everything sent is acknowledged."""
        self._wait(until=lambda: not self._sent)

    def send_missing(self, hu: Slices, *, slab_slices: int = 8, progress: Progress | None = None) -> None:
        """Send every slice of the whole image `hu` that the engine lacks; `progress` hears slices on disk, and in all."""
        fitting = max(1, self._largest_bytes // max(1, hu[0].nbytes))
        step = max(1, min(slab_slices, fitting))
        while self.missing:
            for first, end in list(self.missing):
                for k in range(first, end, step):
                    self.send(k, hu[k : min(k + step, end)])
                    if progress:
                        progress(self.slices_stored, len(hu))
            self.drain()
        if progress:
            progress(len(hu), len(hu))

    def end(self, *, couch: m.CouchReadout | None = None) -> None:
        """Wait for the acknowledgements, then ask for the answer; `couch` is read back at the end of the scan."""
        self.drain()
        self._end(couch)

    def _send(self, sent: _Sent) -> None:
        data = sent.slab.data.cast("B")
        message = m.Slab(
            header=self._header(),
            image_id=self.image_id,
            k_start=sent.k_start,
            slices=len(sent.slab),
            dtype=self._dtype,
            length_bytes=len(data),
            crc32=zlib.crc32(data),
        )
        self._sent[message.header.message_id] = sent
        self._socket.send(m.encode(message), zmq.SNDMORE)
        self._socket.send(data, copy=False)

    def _wait(self, *, until: Callable[[], bool]) -> None:
        heard_s = resumed_s = time.monotonic()
        while self._sent and self._socket.poll(0):
            self._take(self._socket.recv())
        while not until():
            if self._socket.poll(100):
                self._take(self._socket.recv())
                heard_s = resumed_s = time.monotonic()
            elif time.monotonic() - heard_s >= self._timeout_s:
                raise EngineSilentError(
                    f"no slab of image {self.image_id} was acknowledged within {self._timeout_s:g} s; look at the engine"
                )
            elif time.monotonic() - resumed_s >= RESUME_S:
                self._resume()
                resumed_s = time.monotonic()

    def _take(self, frame: bytes) -> None:
        reply = decode(frame, SLAB_REPLIES)
        if isinstance(reply, m.Error):
            sent = self._sent.pop(reply.request_id, None)
            if sent is None and reply.request_id:
                return  # of a slab that was sent again since
            if sent is None or reply.code not in _SEND_AGAIN or sent.attempts >= ATTEMPTS:
                raise refused(reply)
            if reply.code == "no_credit":  # slabs of a client before this one are still being written
                time.sleep(PAUSE_S * 2.0**sent.attempts)
            self._send(_Sent(sent.k_start, sent.slab, sent.attempts + 1))
        elif isinstance(reply, m.SlabStored) and reply.image_id == self.image_id:
            self._sent.pop(reply.request_id, None)
            self.missing = reply.missing

    def _resume(self) -> None:
        """Ask what is missing, and send again what was sent and did not arrive."""
        self.missing = self._begin().missing
        lost = [s for s in self._sent.values() if any(a < s.k_start + len(s.slab) and s.k_start < b for a, b in self.missing)]
        self._sent.clear()
        for sent in lost:
            self._send(_Sent(sent.k_start, sent.slab, sent.attempts + 1))
