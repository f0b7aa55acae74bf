"""The client's calls from a proposal to the couch and back; `igrt.bus.client.Client` has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeVar

from igrt.bus import messages as m

REQUEST_TIMEOUT_S = 30.0
Phase = Literal["start", "during", "after", "stopped"]
_MessageT = TypeVar("_MessageT", bound=m.Message)


class ReleaseCalls(ABC):
    """Each call returns the reply, and raises RefusedError where the engine does not carry it out."""

    @abstractmethod
    def _header(self) -> m.Header: ...

    @abstractmethod
    def _request(self, request: m.Message, reply_type: type[_MessageT], *, timeout_s: float) -> _MessageT: ...

    def _ask(self, request: m.Message, reply_type: type[_MessageT]) -> _MessageT:
        return self._request(request, reply_type, timeout_s=REQUEST_TIMEOUT_S)

    def report_machine(self, loaded: m.LoadedPlan | None, *, beam_on: bool, simulated: bool, units: m.StatedUnits) -> m.ReportMachineReply:
        """The linac's plan and beam; `units` is what its own numbers are in."""
        request = m.ReportMachine(header=self._header(), loaded=loaded, beam_on=beam_on, simulated=simulated, units=units)
        return self._ask(request, m.ReportMachineReply)

    def approve(self, proposal_id: str, *, by: str, simulated: bool = False) -> m.ApproveReply:
        """Approve a proposal, by name."""
        return self._ask(m.Approve(header=self._header(), proposal_id=proposal_id, by=by, simulated=simulated), m.ApproveReply)

    def override(self, proposal_id: str, *, by: str, why: str, simulated: bool = False) -> m.OverrideReply:
        """Approve a proposal whose verdict is stop, by name and with the reason."""
        request = m.Override(header=self._header(), proposal_id=proposal_id, by=by, why=why, simulated=simulated)
        return self._ask(request, m.OverrideReply)

    def reject(self, *, by: str, why: str) -> m.RejectReply:
        """Reject what is proposed, withdraw what is released, put aside what is over."""
        return self._ask(m.Reject(header=self._header(), by=by, why=why), m.RejectReply)

    def claim(self, proposal_id: str, *, token: str, couch: m.CouchReadout) -> m.ClaimReply:
        """Ask for the approved correction, once; a denial is no exception but stands in the reply."""
        return self._ask(m.Claim(header=self._header(), proposal_id=proposal_id, token=token, couch=couch), m.ClaimReply)

    def report_couch(self, proposal_id: str, phase: Phase, couch: m.CouchReadout) -> m.ReportCouchReply:
        """The couch read back; the reply says whether it must hold."""
        return self._ask(m.ReportCouch(header=self._header(), proposal_id=proposal_id, phase=phase, couch=couch), m.ReportCouchReply)

    def confirm_couch(self, *, by: str, couch: m.CouchReadout) -> m.ConfirmCouchReply:
        """The couch has been looked at after an interruption, by name."""
        return self._ask(m.ConfirmCouch(header=self._header(), by=by, couch=couch), m.ConfirmCouchReply)

    def acknowledge_hold(self, hold_id: str) -> m.AcknowledgeHoldReply:
        """The linac holds."""
        return self._ask(m.AcknowledgeHold(header=self._header(), hold_id=hold_id), m.AcknowledgeHoldReply)

    def clear_alert(self, code: str, *, by: str) -> m.ClearAlertReply:
        """An alert that a person clears has been dealt with, by name."""
        return self._ask(m.ClearAlert(header=self._header(), code=code, by=by), m.ClearAlertReply)
