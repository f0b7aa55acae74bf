"""The verbs: what each request of the command socket does."""

from __future__ import annotations

import asyncio

from igrt.bus import messages as m
from igrt.bus.sockets import CREDIT_SLABS, LARGEST_SLAB_BYTES
from igrt.bus.topics import WireError
from igrt.engine import pose_desk, states
from igrt.engine.alerts import ClearedBy
from igrt.engine.basis import software_version
from igrt.engine.case import Case, trace
from igrt.engine.fetch import Fetcher
from igrt.engine.imaging import require_agreed_angle, require_volume_or_radiographs
from igrt.engine.linac_desk import LinacDesk
from igrt.engine.person_desk import PersonDesk
from igrt.engine.placing import loaded_isocentre_mm
from igrt.engine.requests import deny, plan_in_use
from igrt.engine.spool import Description, Spool
from igrt.engine.states import State
from igrt.engine.stream import of_nobody
from igrt.engine.tasks import PlanReady, PlanTask

WAITING = (m.LoadPlan, m.BeginImage)
"""Requests that wait for the worker or the disk; meanwhile others are carried out."""


class Desk:
    """Carries requests out on a case; WireError or InputError is the reply where one cannot be."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._linac, self._person = LinacDesk(case), PersonDesk(case)
        self._beginning = False
        self._fetcher = Fetcher(case)

    def close(self) -> None:
        """End what still reads for somebody."""
        self._fetcher.close()

    async def carry_out(self, request: m.Message) -> m.Reply:
        """One of the table of verbs."""
        match request:
            case m.LoadPlan():
                return await self._load_plan(request)
            case m.BeginImage():
                return await self._begin_image(request)
            case m.EndImage():
                return self._end_image(request)
            case m.Snapshot():
                return self._snapshot(request)
            case m.EvaluatePose():
                return pose_desk.evaluate(self._case, request)
            case m.Fetch():
                return await self._fetcher.carry_out(request)
        reply = self._linac.carry_out(request) or self._person.carry_out(request)
        if reply is None:
            raise WireError("unknown_kind", f"{request.wire_kind()} is no request")
        return reply

    async def _load_plan(self, request: m.LoadPlan) -> m.Reply:
        case = self._case
        deny(states.why_no_plan_now(case.session, now_s=case.stream.now_s, stall_s=case.limits.stall_s))
        deny("another plan is being loaded; wait for it" if case.plan_asked else None)
        deny("an image is being begun; wait for it" if self._beginning else None)
        with case.stream.together():
            case.drop_plan()
            case.stream.clear_all(ClearedBy.PLAN)
        ready: asyncio.Future[PlanReady] = asyncio.get_running_loop().create_future()
        case.plan_asked = number, _ = case.supervisor.next_number(), ready
        case.supervisor.tell(PlanTask(number=number, request=of_nobody(request)))
        plan = await ready
        return m.LoadPlanReply(
            header=case.stream.header(),
            request_id=request.header.message_id,
            plan_label=plan.plan_label,
            machine=plan.machine,
            protocol=plan.protocol,
            research=plan.research,
            prepare_s=plan.prepare_s,
        )

    async def _begin_image(self, request: m.BeginImage) -> m.Reply:
        case = self._case
        fingerprint = plan_in_use(case, request.header)
        in_hand = case.spool.description if case.spool and case.spool.description.image_id == request.image_id else None
        treated_mm = in_hand.plan_isocentre_mm if in_hand else loaded_isocentre_mm(case.plan, case.chain.machine)
        description = Description.of(request, plan_fingerprint=fingerprint, plan_isocentre_mm=treated_mm)
        assert case.profile is not None
        require_volume_or_radiographs(request, case.profile.kv)
        require_agreed_angle(request, case.angles(description))  # what is missing or contradicts is said before the scan
        goes_on = case.session.state is State.ACQUIRING and case.spool is not None and case.spool.description == description
        if not goes_on:
            await self._begin(description)
        assert case.spool is not None
        return m.BeginImageReply(
            header=case.stream.header(),
            request_id=request.header.message_id,
            image_id=request.image_id,
            credit_slabs=CREDIT_SLABS,
            largest_slab_bytes=LARGEST_SLAB_BYTES,
            missing=case.spool.missing,
            plan_isocentre_mm=treated_mm or (case.plan.isocentre_mm if case.plan else None),
        )

    async def _begin(self, description: Description) -> None:
        case = self._case
        deny(states.why_no_image_now(case.session, now_s=case.stream.now_s, stall_s=case.limits.stall_s))
        deny("another image is being begun; wait for it" if self._beginning else None)
        self._beginning = True
        try:
            spool = await case.on_disk(lambda: Spool(case.folder, description, reserve_bytes=case.limits.reserve_bytes))
        finally:
            self._beginning = False
        why = states.why_no_image_now(case.session, now_s=case.stream.now_s, stall_s=case.limits.stall_s)
        if why:  # what was in hand went on meanwhile
            spool.close()
            deny(why)
        if trace(description.image_id) in list(case.began)[:-1]:
            spool.close()
            raise WireError(
                "bad_input", f"image id {description.image_id}: a later image has been begun since; image again, with a new image id"
            )
        if case.stream.plan_fingerprint != description.plan_fingerprint:
            spool.close()
            raise WireError("wrong_plan", "the plan went out of use while the image was begun; load it again, then begin")
        with case.stream.together():
            case.begin(spool)

    def _end_image(self, request: m.EndImage) -> m.Reply:
        case = self._case
        plan_in_use(case, request.header)
        missing = case.spool_of(request.image_id).missing
        if missing:
            ranges = ", ".join(f"{a}-{b - 1}" for a, b in missing)
            raise WireError("incomplete", f"image {request.image_id}: slices {ranges} are missing; send them, then end the image")
        case.end(request.couch)
        return m.EndImageReply(header=case.stream.header(), request_id=request.header.message_id, image_id=request.image_id)

    def _snapshot(self, request: m.Snapshot) -> m.Reply:
        case = self._case
        return m.SnapshotReply(
            header=case.stream.header(),
            request_id=request.header.message_id,
            number=case.stream.number,
            state=case.session.state.value,
            plan_label=case.plan.plan_label if case.plan else None,
            machine=case.plan.machine if case.plan else None,
            protocol=case.plan.protocol if case.plan else None,
            image=case.image_state(),
            result=case.result,
            alerts=list(case.stream.alerts.values()),
            standing=self._person.standing(),
            journal_head=case.stream.journal_head,
            engine=software_version(),
        )
