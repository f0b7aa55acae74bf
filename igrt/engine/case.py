"""What the engine has in hand: the session, its plan, its image, and what came of it; every change is told on the stream."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine import states
from igrt.engine.alerts import ClearedBy
from igrt.engine.basis import ClaimFacts
from igrt.engine.chain import Chain, Reading, Tokens, boot
from igrt.engine.limits import Limits as Limits
from igrt.engine.placing import angles_of
from igrt.engine.policy import policy_of, read_records
from igrt.engine.second_case import Solver, second_ends
from igrt.engine.spool import Description, SlabData, Spool, free_bytes
from igrt.engine.states import LEAVING, RELEASED, STANDING, Session, State, Trigger
from igrt.engine.stream import Stream
from igrt.engine.supervisor import Supervisor
from igrt.engine.tasks import AnswerTask, ImageTask, PlanReady, PlanTask, PoseTask, SlabTask
from igrt.errors import InputError
from igrt.guard.policy import Policy
from igrt.verification.machine import MachineProfile, load_machine
from igrt.verification.protocol import Protocol, load_protocol
from igrt.verification.table_angle import TableAngles

MOST_BEGUN = 64
MOVE_BROKEN_OFF = (
    (State.CLAIMED, State.INTERRUPTED),
    (State.MOVING, State.INTERRUPTED),
    (State.MOVING, State.WITHDRAWN),
)
"""After these the couch stands where no image showed the patient."""
MOVE_WAS_INTERRUPTED = "A verification image is required before the beam: the move was interrupted."
OF_AN_IMAGE = (ImageTask, SlabTask, AnswerTask, PoseTask)
_T = TypeVar("_T")


def trace(image_id: str) -> str:
    """What stands for an image among those begun, which outlive its patient's session: an id may name the patient, this does not."""
    return hashlib.sha256(image_id.encode()).hexdigest()[:32]


class Case:
    """One event loop's; disk work goes to `disk`, one thread, in order."""

    def __init__(
        self,
        stream: Stream,
        supervisor: Supervisor,
        *,
        folder: Path,
        limits: Limits,
        disk: ThreadPoolExecutor,
        site: Path | None = None,
    ) -> None:
        """`folder` is the spool's; the key of the tokens is kept beside it."""
        self.stream, self.supervisor, self.folder, self.limits, self.site = stream, supervisor, folder, limits, site
        self.tokens, self.boot = Tokens(folder.parent), boot()
        self.chain = Chain()
        self.session = Session(since_s=stream.now_s)
        self.plan: PlanReady | None = None
        self.plan_request: m.LoadPlan | None = None
        self.profile: MachineProfile | None = None
        self.policy: Policy | None = None
        self.protocol: Protocol | None = None
        self.plan_asked: tuple[int, asyncio.Future[PlanReady]] | None = None
        self.spool: Spool | None = None
        self.posing: PoseTask | None = None
        self.result: m.Proposal | m.Refusal | m.ImageFailed | None = None
        self.last_byte_s = 0.0
        self.began: dict[str, float] = {}
        self.second: Solver | None = None
        self._disk = disk
        self._utc_minus_monotonic_s = stream.utc_unix_s - stream.now_s

    async def on_disk(self, work: Callable[[], _T]) -> _T:
        """Run disk work on the disk's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    def move(self, trigger: Trigger, image_id: str | None = None) -> None:
        """Take the table's step and tell it."""
        previous = self.session.state
        self.session = states.step(self.session, trigger, now_s=self.stream.now_s, image_id=image_id)
        self.stream.tell(
            m.StateChanged,
            previous=previous.value,
            state=self.session.state.value,
            trigger=trigger.value,
            image_id=self.session.image_id,
        )
        if (previous, self.session.state) in MOVE_BROKEN_OFF and not self.chain.verification:
            self.chain = self.chain.with_(verification=[MOVE_WAS_INTERRUPTED])
        if self.session.state not in STANDING:
            second_ends(self, "the proposal no longer stands")

    def use_plan(self, plan: PlanReady, request: m.LoadPlan) -> None:
        """`plan`, asked for with `request`, is in use; InputError where its machine or protocol cannot be read here."""
        if plan.used:  # by these its images are judged, whatever stands in the files meanwhile
            profile, protocol = plan.used.load()
        else:
            profile, protocol = load_machine(request.machine, self.site), load_protocol(request.protocol, self.site)
        self.policy = policy_of(profile, protocol, most_lifetime_s=self.limits.lifetime_s)
        self.protocol = protocol
        self.plan, self.plan_request, self.profile = msgspec.structs.replace(plan, used=None), request, profile
        self.stream.patient_id, self.stream.plan_fingerprint = plan.patient_id, plan.fingerprint

    def leave(self) -> None:
        """End what is in hand, before another image or plan takes its place."""
        second_ends(self, "another image or plan takes the proposal's place")
        self.withdraw("another image or plan takes its place")
        self.pose_fails("not_now", "another image or plan takes the place of its image; send it again for that image")
        for trigger in LEAVING.get(self.session.state, ()):
            self.move(trigger)
        self.result = None
        self.chain = self.chain.next_image(rounds=self.chain.rounds)
        self.stream.clear_all(ClearedBy.NEXT)
        self.stream.clear("image_stalled")
        self.supervisor.forget(OF_AN_IMAGE)
        self.close_spool()

    def drop_plan(self, plan: PlanReady | None = None) -> None:
        """No plan is in use any more; `plan` is the one that an earlier run used, where it cannot be used again."""
        self.leave()
        self.supervisor.forget((PlanTask,))
        if self.session.state is State.IN_POSITION:
            self.move(Trigger.PUT_ASIDE)
        if self.session.state is not State.IDLE:
            self.move(Trigger.PLAN_DROPPED)
        dropped = self.plan or plan
        if dropped is not None:  # else it was dropped before, and what is owed with it
            self.chain = self.chain.next_plan(owed_for=self._stands_for(dropped))
        self.plan = self.plan_request = self.profile = self.policy = self.protocol = None
        self.stream.patient_id = self.stream.plan_fingerprint = None

    def plan_is_loaded(self, plan: PlanReady, request: m.LoadPlan) -> None:
        """As `use_plan`, for a patient who may be another one than before."""
        self.use_plan(plan, request)
        self.chain = self.chain.of_patient(self._stands_for(plan))
        self.move(Trigger.PLAN_LOADED)

    def _stands_for(self, plan: PlanReady) -> str:
        """For the patient of a plan: under the key of the tokens, for it outlives their session."""
        return self.tokens.of(f"patient {plan.patient_id or plan.fingerprint}")

    def plan_fails(self, error: WireError) -> None:
        """The plan that was asked for cannot be had; who asked is told."""
        assert self.plan_asked is not None
        _, ready = self.plan_asked
        self.plan_asked = None
        self.supervisor.forget((PlanTask,))
        ready.set_exception(error)

    def pose_done(self) -> PoseTask | None:
        """What was asked to be measured; now it is no more."""
        asked, self.posing = self.posing, None
        if asked:
            self.supervisor.forget(OF_AN_IMAGE)
        return asked

    def pose_fails(self, code: str, sentence: str) -> None:
        """The pose that is being measured will not be; nothing where there is none."""
        asked = self.pose_done()
        if asked:
            self.stream.tell(m.PoseNotEvaluated, image_id=asked.image_id, evaluation_id=asked.evaluation_id, code=code, sentence=sentence)

    def begin(self, spool: Spool) -> None:
        """Take an image in, in place of what was in hand."""
        rounds = self.chain.rounds + (self.session.state is State.IN_POSITION)
        seen = self.chain.seen
        self.leave()
        self.spool, d = spool, spool.description
        now_s = self.last_byte_s = self.stream.now_s
        began_s = self.began.pop(trace(d.image_id), now_s)  # an image that goes on is as old as when it first began
        self.began = dict([*self.began.items(), (trace(d.image_id), began_s)][-MOST_BEGUN:])
        start = Reading(couch=d.couch, table_angle_deg=self.angles(d).image_table_angle_deg, at_s=began_s)
        self.chain = self.chain.next_image(rounds=rounds).with_(scan_start=start, seen=seen)
        self.move(Trigger.IMAGE_BEGUN, d.image_id)
        self.tell_image()

    def spool_again(self, image_id: str, *, whole: bool) -> Spool:
        """The file of an image that an earlier run of the engine took in, `whole` by then or not.

        OSError, MsgspecError or WireError where it is not as it was.
        """
        description = msgspec.json.decode((self.folder / f"{image_id}.json").read_bytes(), type=Description)
        spool = Spool(self.folder, description, reserve_bytes=0)
        if whole and spool.missing:
            spool.close()
            raise WireError("disk_failed", "slices that were on disk are missing or damaged")
        return spool

    def angles(self, d: Description) -> TableAngles:
        """The table angles of an image of the plan in use; InputError where they are not known or contradict each other."""
        assert self.plan is not None
        assert self.profile is not None
        return angles_of(d, self.plan, self.profile.couch)

    def tell_image(self) -> None:
        """Tell the worker of the image in hand and of what is on disk of it."""
        assert self.spool is not None
        spool, d = self.spool, self.spool.description
        self.supervisor.tell(ImageTask(number=self.supervisor.next_number(), description=d, path=str(spool.path)))
        for k_start, end in spool.stored:
            self._tell_slab(k_start, end - k_start)

    def end(self, couch: m.CouchReadout | None) -> None:
        """The image is whole, its scan over with the couch at `couch`: have it answered."""
        assert self.spool is not None
        angle_deg = self.angles(self.spool.description).image_table_angle_deg
        self.chain = self.chain.with_(scan_end=Reading(couch=couch, table_angle_deg=angle_deg, at_s=self.stream.now_s))
        self.move(Trigger.IMAGE_ENDED)
        self.ask()

    def ask(self) -> None:
        """Have the worker answer for the image in hand."""
        self.supervisor.tell(AnswerTask(number=self.supervisor.next_number()))

    def spool_of(self, image_id: str) -> Spool:
        """Of the image that is being taken in; WireError where that is not `image_id`."""
        spool = self.spool
        if spool is None or spool.description.image_id != image_id or self.session.state is not State.ACQUIRING:
            raise WireError("unknown_image", f"image {image_id} is not being taken in; begin it first")
        return spool

    def slabs_stored(self, spool: Spool, slabs: Sequence[SlabData], *, received_s: float) -> None:
        """New slabs of `spool` are on disk; the last byte of them came at `received_s` (monotonic)."""
        if spool is not self.spool or self.session.state is not State.ACQUIRING:
            return
        self.last_byte_s = max(self.last_byte_s, received_s)
        self.session = states.progressed(self.session, now_s=self.stream.now_s)
        self.stream.clear("image_stalled")
        for slab in slabs:
            spool.note(slab)
            self._tell_slab(slab.k_start, slab.slices)
        self.stream.tell(m.ImageProgress, image=self.image_state())

    def disk_failed(self, spool: Spool, error: OSError) -> None:
        """The disk did not keep slabs of `spool`: the image breaks off."""
        if spool is self.spool and self.session.state is State.ACQUIRING:
            self.fail_image("disk_failed", f"it cannot be kept on disk ({error.strerror}); look at the disk, then begin the image again")

    def fail_image(self, code: str, sentence: str) -> None:
        """No answer will come for the image in hand."""
        image_id = self.session.image_id
        assert image_id is not None
        self.supervisor.forget(OF_AN_IMAGE)
        self.move(Trigger.INTERRUPTION)
        self.close_spool()
        self.result = self.stream.tell(m.ImageFailed, image_id=image_id, code=code, sentence=sentence)
        self.stream.alert("answer_failed", image_id=image_id, sentence=sentence)

    # --------------------------------------------------------------------------------------------- release

    @property
    def lifetime_s(self) -> float:
        """How long the image in hand can move a patient, from the end of its scan."""
        return self.policy.lifetime_s if self.policy else self.limits.lifetime_s

    @property
    def _seen_s(self) -> float:
        """When the patient was last seen (monotonic)."""
        return self.chain.scan_end.at_s if self.chain.scan_end else self.last_byte_s

    @property
    def expires_s(self) -> float:
        """When the image in hand is too old (monotonic)."""
        return max(0.0, self._seen_s + self.lifetime_s)

    def claim_facts(self, token: str, issued: str) -> ClaimFacts:
        """What a claim with `token` is decided on beside what the journal says already: the records of the site as they are now."""
        rightful = hmac.compare_digest(token.encode(), issued.encode())
        try:
            return ClaimFacts(token_is_issued=rightful, token_characters=len(token), records=read_records(self.site))
        except InputError as error:
            return ClaimFacts(token_is_issued=rightful, token_characters=len(token), problem=str(error))

    def hold(self, reason: str) -> None:
        """Tell the linac to stop; once, until it has acknowledged."""
        if self.chain.hold is None:
            self.chain = self.chain.with_(hold=self.stream.tell(m.Hold, hold_id=uuid.uuid4().hex, reason=reason))

    def withdraw(self, reason: str) -> None:
        """Take back what the linac acts on; nothing where it acts on nothing."""
        if self.session.state in RELEASED:
            self._hold_beam()
            self.stream.alert("correction_withdrawn", reason=reason)
            self.hold(f"The released correction is withdrawn: {reason}.")

    def break_off(self, reason: str) -> None:
        """What was released is interrupted: hold, then confirm the couch or image again."""
        self._hold_beam()
        self.move(Trigger.INTERRUPTION)
        self.hold(reason)

    def expire_if_old(self, *, now_s: float) -> None:
        """See to what stands while the age of the image counts."""
        if states.is_expired(self.session, now_s=now_s, seen_s=self._seen_s, lifetime_s=self.lifetime_s):
            self.expire()

    def _hold_beam(self) -> None:
        """A beam that is broken off goes on for no less than a fresh release that has arrived."""
        if self.session.state is State.DELIVERING:
            self.chain = self.chain.with_(beam_held=True)

    def expire(self) -> None:
        """The image of the proposal that stands is too old."""
        assert isinstance(self.result, m.Proposal)
        self.withdraw("its image expired before the couch moved")
        self.move(Trigger.EXPIRY)
        self.stream.tell(m.Expired, proposal_id=self.result.proposal_id)
        self.stream.alert("proposal_expired", lifetime_s=self.lifetime_s)

    # ----------------------------------------------------------------------------------------------- common

    def close_spool(self) -> None:
        """Let go of the image's file, after the disk work under way."""
        if self.spool:
            self._disk.submit(self.spool.close)
            self.spool = None

    def image_state(self) -> m.ImageState | None:
        """How much of the image in hand is on disk."""
        if self.spool is None:
            return None
        d = self.spool.description
        return m.ImageState(image_id=d.image_id, slices_stored=self.spool.slices_stored, slices_total=d.slices)

    def _tell_slab(self, k_start: int, slices: int) -> None:
        self.supervisor.tell(SlabTask(number=self.supervisor.next_number(), k_start=k_start, slices=slices))

    def watch(self, *, now_s: float, utc_s: float) -> None:
        """Raise and clear what time and the disk bring; called about twice a second with both clocks."""
        limits = self.limits
        if states.is_stalled(self.session, now_s=now_s, stall_s=limits.stall_s):
            self.stream.alert("image_stalled", image_id=self.session.image_id, stall_s=limits.stall_s)
        self.expire_if_old(now_s=now_s)
        hold = self.chain.hold
        if hold and now_s - hold.header.monotonic_s >= limits.hold_s:
            self.stream.alert("hold_unacknowledged")
        jump_s = utc_s - now_s - self._utc_minus_monotonic_s
        self._utc_minus_monotonic_s += jump_s  # slow drift, which the time service corrects, is no jump
        if not abs(jump_s) < limits.clock_jump_s:
            self.stream.alert("clock_jumped", jump_s=jump_s)
        free = free_bytes(self.folder)
        if free >= limits.disk_low_bytes:
            self.stream.clear("disk_low")
        elif "disk_low" not in self.stream.alerts:
            self.stream.alert("disk_low", free_gib=free / 2**30)
