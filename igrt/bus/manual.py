"""The prose of docs/bus.md: what the tables of fields cannot say. The numbers in it are the code's own, or compared by a test."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from igrt.bus import messages as m
from igrt.bus.fetch_messages import LARGEST_CHUNK_BYTES
from igrt.bus.sockets import CREDIT_SLABS, ENDPOINTS_FILE, EVENT_QUEUE, LARGEST_COMMAND_BYTES, LARGEST_SLAB_BYTES
from igrt.bus.topics import HEARTBEAT_LOST_S, HEARTBEAT_PERIOD_S, VERBS
from igrt.guard.policy import LIFETIME_S, LIFETIME_SBRT_S, LIMITS

STALL_S = 10.0
HOLD_S = 2.0
RESEND_S = 2.0

STATES: Mapping[str, str] = {
    "idle": "no plan is loaded",
    "ready": "a plan is prepared; an image may begin",
    "acquiring": "an image is being taken in",
    "registering": "the image is whole; its answer is being worked out",
    "proposed": "a correction is proposed; nothing is released",
    "approved": "a person approved the proposal; the linac may claim it, once",
    "claimed": "the correction is released to the linac; the couch has not moved yet",
    "moving": "the couch is on its way to the target",
    "in_position": "the couch was read back at its target; a verification image may follow",
    "delivering": "the beam is on",
    "refused": "the match is not to be trusted, or one radiograph shows no depth; there is no correction",
    "rejected": "a person wanted nothing of the proposal",
    "expired": "the image is too old to move a patient by",
    "withdrawn": "a newer image or plan, a person or the second solver took the proposal away; a linac that had it was told to hold",
    "interrupted": "an image, a move or a beam broke off; confirm the couch, or image again",
}

TIMINGS: Mapping[str, tuple[float, str]] = {
    "heartbeat": (HEARTBEAT_PERIOD_S, "from one heartbeat to the next"),
    "silence": (HEARTBEAT_LOST_S, "without any frame on the event socket: trust nothing shown before"),
    "resend": (RESEND_S, "without a reply or an acknowledgement, then ask again; twice as long each time"),
    "stalled image": (STALL_S, "without a slab while an image is taken in: the alert `image_stalled`, and another image or plan may begin"),
    "hold": (HOLD_S, "without `acknowledge_hold` after `hold`: the alert `hold_unacknowledged`"),
    "report": (LIMITS["report_age_s"], "the most between the linac's `report_machine` and its `claim`"),
    "image": (LIFETIME_S, f"the most between the end of a scan and the claim; {LIFETIME_SBRT_S:.0f} for stereotactic treatment"),
}

_SLAB_MIB = LARGEST_SLAB_BYTES >> 20
_PLAN_NAMED = ", ".join(f"`{kind}`" for kind, verb in VERBS.items() if verb.names_plan)

CONNECTING = f"""The engine listens on three ZeroMQ sockets (ZMTP 3, no security mechanism) of this machine's loopback. Their addresses
stand in `{ENDPOINTS_FILE}` in the engine's folder while it runs: a JSON object with the strings `commands`, `images`, `events`, such as
`"tcp://127.0.0.1:5570"`, the string `version` and the integer `pid`. An address with brackets is IPv6: set `ZMQ_IPV6`.

| socket | type | your end | carries |
|---|---|---|---|
| commands | ROUTER | DEALER (or REQ) | one frame a request, one frame a reply; at most {LARGEST_COMMAND_BYTES >> 20} MiB |
| images | ROUTER | DEALER | two frames a slab, message and voxels, in one multipart message; one frame a reply; at most {_SLAB_MIB} MiB |
| events | XPUB | SUB, subscribed to everything (the empty prefix) | one frame an event |
"""

ENCODING = f"""Every message is one MessagePack map. `kind` names its type, `header` is in all of them. In both directions:

- Keys and texts are of the str family (UTF-8), keys in any order. bin is used where a field's type says so, ext nowhere.
- An *integer* is of the int family, signed or unsigned; a float is refused in its place. A *float* is float 64; float 32 and integers are
  accepted in its place. Send finite numbers.
- A list, and a fixed list such as `[float, float, float]`, is an array; a fixed one has exactly that length.
- *or null* takes nil; nothing else does. A field with a default may be left out; any other must be there.
- Ignore fields and events that you do not know, and refuse another `version` than `{m.VERSION}`. The engine does the same, and answers a
  `kind` that it does not know with `unknown_kind`.

The ROUTER sockets take a request with an empty frame before it too, as REQ sends it, and then reply with one. A message that cannot
be read is answered by `error`, whose `request_id` is empty where even the id could not be read.
"""

CONVENTIONS = """A field's name ends in its unit: `_mm`, `_deg`, `_s`, `_bytes`.

- **Images** lie in DICOM patient coordinates (LPS, mm) of their own, frame `daily`; the plan's are frame `plan`.
- **The room** is IEC 61217 fixed: origin isocentre, x to the right seen facing the gantry, y toward the gantry, z up.
- **The couch** is IEC 61217 table top, absolute: lateral along x, longitudinal along y, vertical along z (up is more); positive pitch
  raises the gantry end, positive roll lowers the right side, positive yaw is counter-clockwise seen from above. A vendor's scale is
  converted by the linac's adapter, [couch-scales.md](couch-scales.md).
- **Patient positions** are DICOM's (0018,5100).
- **Monotonic times** are of the engine's machine, since its boot: compare them with each other, not with another machine's clock.
"""

REQUESTS = f"""**The header** of a request: a fresh `message_id`; `session` empty, or that of the engine's last `welcome`, `snapshot_reply`
or `load_plan_reply` (another is refused with `wrong_session`); the clocks, which are written down and not compared. `plan_fingerprint`
must be the one of the plan in use, from the header of `load_plan_reply` or `snapshot_reply`, in
{_PLAN_NAMED};
else `wrong_plan`.

**The reply** carries the request's message id as `request_id`. Requests that wait for disk or worker (`load_plan`, `begin_image`) do not
hold up others, so replies may come in another order. Any may be `error` instead.

**Requests are idempotent.** A request that repeats a message id gets the first reply again, errors too, and is not carried out again.
Where no reply comes, send the same frame again; this holds over a restart of the engine too. To ask *anew* takes a new message id.
Ids are made at random; one that begins with `release.` is `malformed`.
`snapshot` and `fetch` alone, which change nothing, are answered anew.
"""

SENDING = f"""1. `load_plan`, or `snapshot` to learn the plan in use.
2. `begin_image`, with the plan's fingerprint in the header. The reply sets the credit (now {CREDIT_SLABS}): so many slabs may be
   unacknowledged, of all senders together; and it lists what is missing.
   A volume is announced with its `grid`; radiographs, one or a pair or any number of a patient in one pose, as a list of `radiographs`
   with `dtype` uint16, and then a slice is a frame. What a frame leaves out is the standard's default, then the machine profile's, else it
   is refused; all frames have one shape.
3. Slabs in any order and of any number of slices, each of which belongs to one slab alone. The second frame is the voxels and nothing
   else: int16 little-endian Hounsfield units (of radiographs uint16 stored values), slice by slice, row by row, column index i fastest;
   `crc32` is that of zlib and PNG (of the ASCII text `123456789` it is `0x{zlib.crc32(b"123456789"):08x}`).
   A slab's header needs neither session nor plan.
4. Each slab is answered by `slab_stored` once it is on disk, or by `error`. After `bad_slab` or `no_credit` send it again with a new
   message id, after `no_credit` some 20 ms later, then twice as long each time (slabs of a connection that broke off may still be on
   their way to the disk); after `unknown_image` begin the image again; after anything else give up.
   Give up on a slab that was refused eight times.
5. When nothing is missing, `end_image`. The answer comes as the event `proposal` or `refusal`, then `verdict`, then an `alert` where
   something must be known, or as `image_failed`. One radiograph alone shows no depth: its answer comes as `refusal`, with the outcome
   `partial` and what it shows in `radiographs.in_plane`, and moves nothing. Where an earlier image of the set-up was of another kind,
   the answer's findings say how far the two differ, as `images_compared` does for any two.

**Broken off?** `begin_image` with a new message id, and with the same image id and description (every field but the header), goes on
where it stopped: `missing` tells what to send. Send just that: a slab that overlaps stored slices is `bad_slab`, unless it is the very
slab that is stored, which is acknowledged again. This holds in another run of the engine too, where the same plan is in use. An image id
that stands for another description is refused with `bad_input`.
"""

FOLLOWING = f"""1. Subscribe to everything, then wait for `welcome`: from here on nothing is missed unnoticed. (libzmq
   subscribes anew when it connects anew; the engine then greets again.)
2. Ask for the `snapshot` on the command socket. Its `number` n and its header's `session` are where you stand; no other reply changes
   that. What events up to n would have told stands in it: `state`, `image`, `result` (the proposal), `standing` (approval, release, hold),
   `alerts`.
3. Each event: if its header's `session` is not yours, go to 2. If its `number` is at most n, drop it; if it is n + 1, it is next, and n
   becomes it; if it is more, something was missed: go to 2.
4. Each heartbeat: if its `session` is not yours, or its `last_number` is more than n, go to 2.

Events of a kind that you do not know count by their `number` too. Who reads too slowly loses events (the queue holds {EVENT_QUEUE:,} for
each) and holds up nobody. After `stopping` no heartbeat follows.
"""

FETCHING = f"""`fetch` reads what the engine has, {LARGEST_CHUNK_BYTES >> 10} KiB at most at a time: the planning CT and the contours of
the plan in use (`content_id` is its fingerprint), and the daily images, volumes or radiographs, that were sent whole for it (`content_id`
is the image's). Leave `version` null at first; the reply names it, with `total_bytes`. Then ask for the next `offset_bytes` with that
`version`, one request at a time, until `total_bytes` are there; broken off, go on where you were, over another connection too. `version`
is the SHA-256 of the whole: compare it. `changed_content` means that something else is there now: start again. The first chunk of a plan
may take as long as reading the plan.
"""

MEASURING = """`evaluate_pose` has all evidence measured at a pose that someone set by hand, before or after a refusal: send the
`image_id` of the image that was answered last and `plan_from_daily`, that of `answer` as the person moved it. The reply says that it is
being measured; the event `pose_evaluated`, whose `evaluation_id` is the request's message id, brings a whole answer at that pose: its
findings, evidence and correction, and in `match.automatic` the match of the registration with its own evidence and how far the two lie
from each other. Where it cannot be measured `pose_not_evaluated` says why.

The state, the proposal and its lifetime stay as they are: what was measured is shown, written down and kept, and can be neither approved
nor claimed. One pose is measured at a time, each in about the time of an answer; another before that is `not_now`. After a restart of the
engine ask anew.
"""

RELEASING = """1. A person sends `approve` (for a verdict of stop `override`, by name and with the reason) with the `proposal_id`. The event
   `approved` carries a token, and so does the snapshot's `standing.approved` while the state is `approved`.
2. The linac sends `report_machine`: what it has loaded, and whether its beam is on.
3. Within 5 s it sends `claim`, with the token and the couch read back. `claim_reply` carries the absolute target as `release`, once and
   never again for this proposal, or every reason why not as `denials` ([guard.md](guard.md) has the table). A denial is no `error`. A
   second claim with another message id is denied (`state`, `token_unused`), whoever sends it; the same one sent again gets the first reply.
4. The linac moves under its own hold-to-run and reads its couch back with `report_couch`: `start`, any number of `during`, then `after`, or
   `stopped` where it did not get there. `hold` true in a reply means stop.
5. `chain_closed` says where it is against where it was sent, and whether a verification image is needed before the beam: then
   `begin_image` again. Beam on and off are told with `report_machine`.

A claim is denied where anything is missing. So give `fraction` in `load_plan`, `couch` in `begin_image` and in `end_image`, and every field
of `loaded` and `units` in `report_machine`, as the plan's files have them. A research profile releases to a linac that says that it is
`simulated`, alone; a simulated therapist says so in `approve`.

**Hold.** On the event `hold` the linac stops couch and beam and sends `acknowledge_hold`; who joins later finds it in the snapshot. To
move again needs a new release. After an interruption a person sends `confirm_couch` with the couch read back, or an image is taken again.

**After a restart of the engine** plan, image, proposal, approval and alerts stand as they stood. What was released and not yet in
position is interrupted, and held.
"""


def example() -> str:
    """A request byte by byte, to try an encoder with."""
    request = m.Snapshot(header=m.Header(message_id="request-1", utc_unix_s=1772434800.5, monotonic_s=42.25))
    frame = m.encode(request)
    dump = "\n".join(_dumped(frame[i : i + 16]) for i in range(0, len(frame), 16))
    return (
        f"A `snapshot` request, {len(frame)} bytes (the engine's encoder; yours may order keys otherwise and leave out defaults):\n\n"
        f"```\n{dump}\n```\n"
    )


def _dumped(line: bytes) -> str:
    return f"{line.hex(' '):<48} {''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in line)}"
