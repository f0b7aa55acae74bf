"""What the linac asks and says: its plan and beam, the claim, the couch on its way and at its end, a hold acknowledged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.case import Case
from igrt.engine.compare import match_point_mm
from igrt.engine.placing import SAME_ISOCENTRE_MM
from igrt.engine.policy import chain_tolerance_of, image_policy_of
from igrt.engine.record import CLAIM, release_once, row_of
from igrt.engine.release import Facts, correction_of, difference, position, readout, release_request
from igrt.engine.requests import deny, plan_in_use, reply_to
from igrt.engine.second_case import second_denies
from igrt.engine.states import State, Trigger
from igrt.guard.decision import Denied, Released, decide
from igrt.guard.request import Moment, Now
from igrt.verification.closing import close_chain
from igrt.verification.findings import Finding, Level
from igrt.verification.on_the_way import astray
from igrt.verification.several_isocentres import IsocentreCorrection, other_isocentre
from igrt.verification.verification_image import Move, verification_image

_SENT = (State.CLAIMED, State.MOVING)
_ARRIVED = (State.IN_POSITION, State.DELIVERING)
_BROKEN_OFF = (State.EXPIRED, State.WITHDRAWN, State.INTERRUPTED)
_NO_PROPOSAL = (State.IDLE, State.READY, State.REFUSED, State.REJECTED, State.EXPIRED)
_UNDECIDED = (State.ACQUIRING, State.REGISTERING, State.PROPOSED, State.APPROVED, State.WITHDRAWN, State.INTERRUPTED)


class LinacDesk:
    """Carries requests out on a case; WireError is the reply where one cannot be."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def carry_out(self, request: m.Message) -> m.Reply | None:
        """One of the linac's verbs; None for any other."""
        match request:
            case m.ReportMachine():
                return self._report_machine(request)
            case m.Claim():
                return self._claim(request)
            case m.ReportCouch():
                return self._report_couch(request)
            case m.AcknowledgeHold():
                return self._acknowledge_hold(request)
        return None

    def _claim(self, request: m.Claim) -> m.Reply:
        case = self._case
        plan_in_use(case, request.header)
        decided = self._decide(request)
        if not isinstance(decided, Released):
            case.stream.tell(m.ClaimDenied, proposal_id=request.proposal_id, denials=decided)
            return m.ClaimReply(**reply_to(case, request), release=None, denials=decided)
        release = m.Release(
            proposal_id=decided.proposal_id,
            machine=decided.machine,
            start=readout(decided.start),
            target=readout(decided.target, table_angle_deg=request.couch.table_angle_deg if request.couch else None),
        )
        case.move(Trigger.CLAIM)
        case.chain = case.chain.with_(release=release)
        patient_id = case.stream.patient_id or None
        case.stream.note(release_once(release.proposal_id, msgspec.msgpack.encode(release), patient_id=patient_id))
        case.stream.tell(m.Claimed, release=release)
        return m.ClaimReply(**reply_to(case, request), release=release, denials=[])

    def _decide(self, request: m.Claim) -> Released | list[m.Denial]:
        case = self._case
        assert case.plan is not None
        assert case.policy is not None
        assert case.profile is not None
        assert case.plan_request is not None
        token, now_s = case.tokens.of(request.proposal_id), case.stream.now_s
        known = case.claim_facts(request.token, token)
        case.stream.note(row_of(CLAIM, known, patient_id=case.stream.patient_id))
        if known.problem:
            return [m.Denial(rule="records", sentence=known.problem)]
        used = case.chain.release is not None and case.chain.release.proposal_id == request.proposal_id
        facts = Facts(
            state=case.session.state.value,
            newest_image_id=case.session.image_id,
            result=case.result,
            chain=case.chain,
            plan=case.plan,
            fraction=case.plan_request.fraction,
            profile=case.profile,
            records=known.records,
            clock=case.boot,
            claim=request,
            claimed_s=now_s,
            token=token,
            token_used=used,
        )
        now = Now(monotonic=Moment(clock=case.boot, at_s=now_s), utc=datetime.fromtimestamp(case.stream.utc_unix_s, UTC))
        decision, unconfirmed = decide(release_request(facts), case.policy, now=now), second_denies(case)
        if isinstance(decision, Denied):
            return [*(m.Denial(rule=reason.rule, sentence=reason.sentence) for reason in decision.reasons), *unconfirmed]
        return unconfirmed or decision

    def _report_machine(self, request: m.ReportMachine) -> m.Reply:
        case, state = self._case, self._case.session.state
        report = case.stream.tell(
            m.MachineReported, loaded=request.loaded, beam_on=request.beam_on, simulated=request.simulated, units=request.units
        )
        case.chain = case.chain.with_(machine=report)
        self._compare_isocentres(request.loaded)
        if request.beam_on:
            self._beam_is_on(state)
        elif request.beam_on is False and state is State.DELIVERING:
            case.move(Trigger.BEAM_OFF)
            case.chain = case.chain.with_(rounds=0, seen=None)  # what follows is another set-up
        return m.ReportMachineReply(**reply_to(case, request), state=case.session.state.value)

    def _beam_is_on(self, state: State) -> None:
        """It may be on where the couch has arrived and no image is missing, or where nothing is between image and couch."""
        case = self._case
        if state in _SENT:
            case.stream.alert("beam_unexpected", state=state)
            case.break_off(f"The beam is on while the session is {state}.")
        elif state in _UNDECIDED or (case.chain.beam_held and state is not State.IN_POSITION):
            case.stream.alert("beam_unexpected", state=state)
            case.hold(f"The beam is on while the session is {state}; it goes on after a fresh proposal alone.")
        elif state in (State.IN_POSITION, *_NO_PROPOSAL) and case.chain.verification:
            reasons = " ".join(case.chain.verification)
            case.stream.alert("verification_missing", reasons=reasons)
            case.hold(f"The beam is on without the verification image that is needed. {reasons}")
        elif state is State.IN_POSITION and self._loaded_another():
            case.stream.alert("beam_unexpected", state=state)
            case.hold("The beam is on for another patient, plan or isocentre than the couch was moved for.")
        elif state is State.IN_POSITION:
            case.move(Trigger.BEAM_ON)

    def _loaded_another(self) -> bool:
        """Whether the linac has loaded something else than what it moved the couch for, or does not say."""
        case = self._case
        loaded = case.chain.machine.loaded if case.chain.machine else None
        plan, proposal = case.plan, case.result
        if loaded is None or plan is None or not isinstance(proposal, m.Proposal) or loaded.isocentre_mm is None:
            return True
        same = (loaded.patient_id, loaded.plan_uid, loaded.plan_revision) == (plan.patient_id, plan.plan_uid, plan.plan_revision)
        return not (same and math.dist(proposal.answer["plan_isocentre_mm"], loaded.isocentre_mm) <= SAME_ISOCENTRE_MM)

    def _compare_isocentres(self, loaded: m.LoadedPlan | None) -> None:
        """The proposal that stands is of no use for a beam of another isocentre: said before the claim is denied for it."""
        case = self._case
        case.stream.clear("isocentre_other")
        proposal = case.result if case.session.state in (State.PROPOSED, State.APPROVED) else None
        if not isinstance(proposal, m.Proposal) or loaded is None or loaded.isocentre_mm is None:
            return
        planned_mm = proposal.answer.get("plan_isocentre_mm")
        if planned_mm is None or math.dist(planned_mm, loaded.isocentre_mm) <= SAME_ISOCENTRE_MM:
            return
        ours = IsocentreCorrection(isocentre=_place(planned_mm), correction=correction_of(proposal.answer["correction"]).motion)
        (finding,) = other_isocentre(ours, treated=_place(loaded.isocentre_mm))
        case.stream.alert("isocentre_other", sentence=finding.sentence)

    def _report_couch(self, request: m.ReportCouch) -> m.Reply:
        case, release = self._case, self._case.chain.release
        plan_in_use(case, request.header)
        if release is None or release.proposal_id != request.proposal_id:
            raise WireError("wrong_proposal", f"{request.proposal_id} is not released; ask for the snapshot")
        case.stream.tell(m.CouchReported, proposal_id=request.proposal_id, phase=request.phase, couch=request.couch)
        if case.session.state is State.CLAIMED:
            case.move(Trigger.MOVE_STARTED)
        if case.session.state is State.MOVING:
            self._follow(request, release)
        elif case.session.state in _ARRIVED:
            faults = closing_of(case, release, request.couch)
            if faults:  # it was there, and is no longer
                self._broken(faults)
        return m.ReportCouchReply(**reply_to(case, request), state=case.session.state.value, hold=self._must_hold(request))

    def _must_hold(self, request: m.ReportCouch) -> bool:
        """Also once the hold is acknowledged: what was interrupted does not go on."""
        case = self._case
        return case.chain.hold is not None or (request.phase != "stopped" and case.session.state in _BROKEN_OFF)

    def _follow(self, request: m.ReportCouch, release: m.Release) -> None:
        """The couch on its way, at its end, or stopped."""
        case = self._case
        assert case.protocol is not None
        tolerance = chain_tolerance_of(case.protocol)
        wrong = astray(start=release.start, target=release.target, reading=request.couch, tolerance=tolerance)
        if request.phase == "after":
            self._close(request, release)
        elif wrong:
            self._broken(wrong)
        elif request.phase == "stopped":
            case.move(Trigger.INTERRUPTION)
            case.stream.alert("move_interrupted")

    def _close(self, request: m.ReportCouch, release: m.Release) -> None:
        case = self._case
        faults = closing_of(case, release, request.couch)
        verification = verification_of(case, interrupted=False)
        case.stream.tell(
            m.ChainClosed,
            proposal_id=release.proposal_id,
            within=not faults,
            target=release.target,
            couch=request.couch,
            difference=difference(request.couch, release.target),
            faults=faults,
            verification=verification,
        )
        if faults:
            self._broken(faults)
            return
        case.chain = case.chain.with_(verification=verification, beam_held=False)
        case.move(Trigger.ARRIVAL)

    def _broken(self, faults: list[str]) -> None:
        self._case.stream.alert("chain_broken", faults=" ".join(faults))
        self._case.break_off(f"The couch is not where it was sent. {' '.join(faults)}")

    def _acknowledge_hold(self, request: m.AcknowledgeHold) -> m.Reply:
        case = self._case
        if case.chain.hold is None or case.chain.hold.hold_id != request.hold_id:
            deny("no such hold waits for an acknowledgement; ask for the snapshot")
        case.chain = case.chain.with_(hold=None)
        case.stream.tell(m.HoldAcknowledged, hold_id=request.hold_id)
        case.stream.clear("hold_unacknowledged")
        return m.AcknowledgeHoldReply(**reply_to(case, request), hold_id=request.hold_id)


def closing_of(case: Case, release: m.Release, couch: m.CouchReadout) -> list[str]:
    """What is wrong with where the couch stands, in sentences; nothing where it is where it was sent."""
    assert case.profile is not None
    assert case.protocol is not None
    assert isinstance(case.result, m.Proposal)
    start = case.chain.scan_start
    return _sentences(
        close_chain(
            start=position(release.start),
            target=position(release.target),
            achieved=couch,
            model=case.profile.couch,
            table_angle_deg=start.table_angle_deg if start else 0.0,
            reference_mm=match_point_mm(case.result.answer),
            tolerance=chain_tolerance_of(case.protocol),
        )
    )


def verification_of(case: Case, *, interrupted: bool) -> list[str]:
    """Why a verification image is needed after what was released; where there were too many, an alert says so."""
    assert isinstance(case.result, m.Proposal)
    assert case.protocol is not None
    couch, approved = case.result.answer["couch"], case.chain.approved
    move = Move(
        made=correction_of(couch["made"]),
        manual_match=case.result.answer.get("match", {}).get("manual", True),  # what is not known to be automatic is not
        overridden=approved is not None and approved.overridden is not None,
        limited=tuple(couch["limited"]),
        interrupted=interrupted,
    )
    findings = verification_image(move, images_taken=case.chain.rounds, policy=image_policy_of(case.protocol))
    for finding in findings:
        if finding.level is Level.STOP:
            case.stream.alert("verification_rounds", sentence=finding.sentence)
    return _sentences(findings)


def _place(isocentre_mm: Sequence[float]) -> str:
    x, y, z = isocentre_mm
    return f"({x:.1f}, {y:.1f}, {z:.1f})"


def _sentences(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.sentence for finding in findings]
