"""Which events of the stream stand in the log, and what of them."""

from __future__ import annotations

import logging

from igrt.bus import messages as m
from igrt.engine.logs import Ref, log

LOG = logging.getLogger("igrt.engine.session")


def log_event(event: m.Event) -> None:
    """States, alerts, verdicts and denials, by their codes; no sentence, for sentences quote."""
    if not LOG.isEnabledFor(logging.INFO):
        return
    patient = Ref("patient", event.header.patient_id)
    match event:
        case m.StateChanged():
            image = Ref("image", event.image_id)
            log(LOG, "state", previous=event.previous, state=event.state, trigger=event.trigger, image=image, patient=patient)
        case m.Alert():
            log(LOG, "alert", code=event.alert.code, priority=event.alert.priority, patient=patient)
        case m.AlertCleared():
            log(LOG, "alert cleared", code=event.code, patient=patient)
        case m.Verdict():
            log(LOG, "verdict", verdict=event.verdict, image=Ref("image", event.image_id), patient=patient)
        case m.ClaimDenied():
            log(LOG, "claim denied", rules=" ".join(sorted(denial.rule for denial in event.denials)), patient=patient)
        case m.ImageFailed():
            log(LOG, "image failed", code=event.code, image=Ref("image", event.image_id), patient=patient)
        case _:
            pass
