"""Retention while the engine runs: now and then, between sessions, images that are old enough go."""

from __future__ import annotations

import asyncio
import logging
import time

from igrt.engine.case import Case
from igrt.engine.logs import log
from igrt.engine.retention import look, removal_row
from igrt.engine.spool_files import StoredImage, remove
from igrt.engine.survey import CLOSED

LOG = logging.getLogger(__name__)
PERIOD_S = 3600.0
AGAIN_S = 60.0


class Tidying:
    """Of one engine's spool."""

    def __init__(self, case: Case, *, keep_days: float) -> None:
        self._case, self._keep_days = case, keep_days

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S if await self.once() else AGAIN_S)

    async def once(self) -> bool:
        """Look and remove; False where a session came in between, or the clock is not to be believed."""
        case = self._case
        if not self._at_rest():
            return False
        looked = await asyncio.to_thread(look, case.folder.parent, keep_days=self._keep_days, now_utc_s=time.time())
        gone_bytes = 0
        for judged in looked.may_go:
            if not self._at_rest() or not self._is_free(judged.image):
                return False
            image = judged.image
            with case.stream.together():
                case.stream.note(removal_row(image, patient_id=judged.patient_id))
            # On the thread that also opens images: one that is begun from now on is begun after this one has gone.
            await case.on_disk(lambda image=image: remove(image))  # type: ignore[misc]
            gone_bytes += image.bytes
        if looked.may_go:
            log(LOG, "images removed", images=len(looked.may_go), bytes=gone_bytes)
        return True

    def _at_rest(self) -> bool:
        return self._case.session.state in CLOSED and "clock_jumped" not in self._case.stream.alerts

    def _is_free(self, image: StoredImage) -> bool:
        in_use = self._case.stream.plan_fingerprint
        d = image.description
        return image.image_id != self._case.session.image_id and d is not None and d.plan_fingerprint != in_use
