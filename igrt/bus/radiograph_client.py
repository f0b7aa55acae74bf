"""The client's calls that send radiographs; `igrt.bus.client.Client` has them."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import zmq
from numpy.typing import ArrayLike

from igrt.bus import messages as m
from igrt.bus.grids import vector_or_none
from igrt.bus.radiographs import sent
from igrt.bus.release_client import REQUEST_TIMEOUT_S
from igrt.bus.transfer import Progress, Transfer
from igrt.geometry.position import PatientPosition
from igrt.images.radiographs import Radiographs

_MessageT = TypeVar("_MessageT", bound=m.Message)


class RadiographCalls(ABC):
    """One radiograph, a pair, or any number of the patient in one pose, as one image."""

    _images: zmq.Socket[bytes]

    @abstractmethod
    def _header(self) -> m.Header: ...

    @abstractmethod
    def _request(self, request: m.Message, reply_type: type[_MessageT], *, timeout_s: float) -> _MessageT: ...

    def begin_radiographs(
        self,
        frames: Sequence[m.RadiographFrame],
        *,
        position: PatientPosition,
        image_id: str | None = None,
        patient_id: str | None = None,
        table_angle_deg: float | None = None,
        image_table_angle_deg: float | None = None,
        scan_offset_mm: ArrayLike | None = None,
        couch: m.CouchReadout | None = None,
        source: str = "radiographs",
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Transfer:
        """Announce radiographs for the plan that this client loaded or saw in a snapshot; each is then a slice of uint16 pixels.

        RefusedError where the engine takes none now; RefusedInputError where a field is wrong.
        """
        chosen = image_id or uuid.uuid4().hex

        def begin() -> m.BeginImageReply:
            request = m.BeginImage(
                header=self._header(),
                image_id=chosen,
                radiographs=list(frames),
                dtype="uint16",
                position=position,
                image_patient_id=patient_id,
                table_angle_deg=table_angle_deg,
                image_table_angle_deg=image_table_angle_deg,
                scan_offset_mm=vector_or_none(scan_offset_mm),
                couch=couch,
                source=source,
            )
            return self._request(request, m.BeginImageReply, timeout_s=timeout_s)

        def end(couch_at_end: m.CouchReadout | None) -> m.EndImageReply:
            request = m.EndImage(header=self._header(), image_id=chosen, couch=couch_at_end)
            return self._request(request, m.EndImageReply, timeout_s=timeout_s)

        shape = (len(frames), *frames[0].shape)
        return Transfer(self._images, begin, end, self._header, shape_kji=shape, timeout_s=timeout_s, dtype="uint16")

    def send_radiographs(
        self,
        daily: Radiographs,
        *,
        table_angle_deg: float | None = None,
        image_table_angle_deg: float | None = None,
        scan_offset_mm: ArrayLike | None = None,
        couch: m.CouchReadout | None = None,
        image_id: str | None = None,
        progress: Progress | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> str:
        """Send whole radiographs and end the image, the couch unmoved; returns its id. `progress` hears frames on disk and in all.

        The id of an image that broke off goes on where it stopped.
        """
        frames, pixels = zip(*(sent(image) for image in daily.images), strict=True)
        transfer = self.begin_radiographs(
            frames,
            position=daily.position,
            image_id=image_id,
            patient_id=daily.patient_id,
            table_angle_deg=table_angle_deg,
            image_table_angle_deg=image_table_angle_deg,
            scan_offset_mm=scan_offset_mm,
            couch=couch,
            source=daily.source,
            timeout_s=timeout_s,
        )
        transfer.send_missing(np.stack(pixels), slab_slices=1, progress=progress)
        transfer.end(couch=couch)
        return transfer.image_id
