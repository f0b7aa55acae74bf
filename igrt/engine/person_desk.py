"""What a person decides: to approve, to reject, that the couch is seen after an interruption, that an alert is dealt with."""

from __future__ import annotations

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine import states
from igrt.engine.alerts import ALERTS, ClearedBy
from igrt.engine.case import Case
from igrt.engine.linac_desk import closing_of, verification_of
from igrt.engine.policy import image_policy_of
from igrt.engine.requests import deny, plan_in_use, reply_to
from igrt.engine.states import State, Trigger
from igrt.verification.findings import Verdict


class PersonDesk:
    """Carries requests out on a case; WireError is the reply where one cannot be."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def carry_out(self, request: m.Message) -> m.Reply | None:
        """One of a person's verbs; None for any other."""
        match request:
            case m.Approve() | m.Override():
                return self._approve(request)
            case m.Reject():
                return self._reject(request)
            case m.ConfirmCouch():
                return self._confirm_couch(request)
            case m.ClearAlert():
                return self._clear_alert(request)
        return None

    def standing(self) -> m.Standing:
        """For the snapshot; an approval comes with its token as long as it can be claimed."""
        case, chain = self._case, self._case.chain
        approved = chain.approved
        if approved:
            token = case.tokens.of(approved.proposal_id) if case.session.state is State.APPROVED else ""
            approved = msgspec.structs.replace(approved, token=token)
        return m.Standing(
            approved=approved,
            release=chain.release,
            machine=chain.machine,
            hold=chain.hold,
            verification=chain.verification,
            rounds=chain.rounds,
            second_solver=chain.second,
        )

    def _approve(self, request: m.Approve | m.Override) -> m.Reply:
        case = self._case
        plan_in_use(case, request.header)
        proposal = self._proposal(request.proposal_id)
        overrides = isinstance(request, m.Override)
        trigger = Trigger.OVERRIDE if overrides else Trigger.APPROVAL
        deny(states.why_not(case.session, trigger, remedy="approve a proposal while it stands, else image again"))
        stops = proposal.answer["verdict"] == Verdict.STOP
        if stops and not overrides:
            deny("the verdict is stop; override it by name and with the reason, or image again")
        if overrides and not stops:
            deny(f"the verdict is {proposal.answer['verdict']}, which needs no override; approve it, or image again")
        assert case.protocol is not None
        rounds = image_policy_of(case.protocol).rounds
        if case.chain.rounds > rounds:
            deny(f"the verification images of this set-up ({rounds}) have asked for another move; set up again and load the plan again")
        case.move(trigger)
        approved = case.stream.tell(
            m.Approved,
            proposal_id=request.proposal_id,
            by=request.by,
            simulated=request.simulated,
            overridden=request.why if isinstance(request, m.Override) else None,
            token=case.tokens.of(request.proposal_id),
            expires_monotonic_s=case.expires_s,
        )
        case.chain = case.chain.with_(approved=msgspec.structs.replace(approved, token=""))
        reply = m.OverrideReply if overrides else m.ApproveReply
        return reply(**reply_to(case, request), proposal_id=request.proposal_id, expires_monotonic_s=case.expires_s)

    def _reject(self, request: m.Reject) -> m.Reply:
        case, state = self._case, self._case.session.state
        plan_in_use(case, request.header)
        if state in states.RELEASED:
            case.withdraw(f"{request.by} rejects it: {request.why}")
            case.move(states.LEAVING[state][0])
        else:
            trigger = Trigger.REJECTION if (state, Trigger.REJECTION) in states.TRANSITIONS else Trigger.PUT_ASIDE
            deny(states.why_not(case.session, trigger, remedy="there is nothing to reject now"))
            case.move(trigger)
            if state is State.IN_POSITION:  # what is imaged next is still this set-up
                case.chain = case.chain.with_(rounds=case.chain.rounds + 1)
        proposal_id = case.result.proposal_id if isinstance(case.result, m.Proposal) else None
        case.stream.tell(m.Rejected, proposal_id=proposal_id, by=request.by, why=request.why)
        return m.RejectReply(**reply_to(case, request), state=case.session.state.value)

    def _confirm_couch(self, request: m.ConfirmCouch) -> m.Reply:
        case, release = self._case, self._case.chain.release
        plan_in_use(case, request.header)
        deny(states.why_not(case.session, Trigger.COUCH_CONFIRMED, remedy="the couch is confirmed after an interruption"))
        at_target = release is not None and not closing_of(case, release, request.couch)
        verification = case.chain.verification if release is None else verification_of(case, interrupted=True)
        case.chain = case.chain.with_(verification=verification)
        case.move(Trigger.COUCH_AT_TARGET if at_target else Trigger.COUCH_CONFIRMED)
        case.stream.tell(m.CouchConfirmed, by=request.by, couch=request.couch, at_target=at_target, verification=verification)
        for code in ("release_interrupted", "move_interrupted"):
            case.stream.clear(code, by=request.by)
        return m.ConfirmCouchReply(**reply_to(case, request), state=case.session.state.value)

    def _clear_alert(self, request: m.ClearAlert) -> m.Reply:
        case = self._case
        if request.code not in case.stream.alerts:
            deny(f"no alert {request.code!r} stands; ask for the snapshot")
        row = ALERTS[request.code]
        if row.cleared_by is not ClearedBy.PERSON:
            deny(f"alert {request.code!r} is cleared by {row.cleared_by.value}; {row.remedy}")
        case.stream.clear(request.code, by=request.by)
        return m.ClearAlertReply(**reply_to(case, request), code=request.code)

    def _proposal(self, proposal_id: str) -> m.Proposal:
        result = self._case.result
        if not isinstance(result, m.Proposal) or result.proposal_id != proposal_id:
            raise WireError("wrong_proposal", f"{proposal_id} is not the proposal that stands; ask for the snapshot")
        return result
