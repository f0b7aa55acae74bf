"""Plan, image, answer and alerts: the messages of a session. `igrt.bus.messages` hands these types on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from igrt.bus.radiograph_messages import MOST_FRAMES, RadiographFrame
from igrt.bus.release_events import Standing
from igrt.bus.release_messages import CouchReadout
from igrt.bus.wire import Count, Event, Identifier, Message, Number, Ordinal, Range, Reply, Seconds, Sentence, Text, Vector
from igrt.geometry.position import PatientPosition

# ---------------------------------------------------------------------------------------------- commands


class LoadPlan(Message, frozen=True, kw_only=True):
    """Read a plan and make it ready; what was loaded before is dropped, and an open proposal withdrawn."""

    path: Annotated[Text, Meta(min_length=1, description="folder of DICOM files or a volume file, as the engine sees it")]
    machine: Annotated[Text | None, Meta(description="machine profile; null is the research default")] = None
    protocol: Annotated[Text | None, Meta(description="protocol by site of the body; null is the default")] = None
    isocentre_mm: Annotated[Vector | None, Meta(description="plan LPS; needed where the files do not state it")] = None
    position: Annotated[PatientPosition | None, Meta(description="needed where the files do not state it")] = None
    isocentre_choice: Annotated[Text | None, Meta(description="which, where the plan has several")] = None
    setup_choice: Annotated[Text | None, Meta(description="which patient set-up, where the plan has several")] = None
    fraction: Annotated[Ordinal | None, Meta(description="today's; without it nothing can be claimed")] = None


class LoadPlanReply(Reply, frozen=True, kw_only=True):
    """The plan is prepared: an image may begin. The header states its patient and fingerprint."""

    plan_label: Text | None
    machine: Text
    protocol: Text
    research: Annotated[bool, Meta(description="true where the research default stands in for a machine profile")]
    prepare_s: Seconds


class ImageGrid(Struct, frozen=True, kw_only=True):
    """Where the voxel centres lie, in LPS of the volume's own frame: daily for an image that is sent."""

    shape_kji: Annotated[tuple[int, int, int], Meta(description="slices, rows, columns")]
    origin_mm: Annotated[Vector, Meta(description="centre of voxel (0, 0, 0)")]
    spacing_mm: Annotated[Vector, Meta(description="step along i (column index), j (row index), k (slice index)")]
    direction_i: Annotated[Vector, Meta(description="unit vector of increasing i")] = (1.0, 0.0, 0.0)
    direction_j: Annotated[Vector, Meta(description="unit vector of increasing j")] = (0.0, 1.0, 0.0)
    direction_k: Annotated[Vector, Meta(description="unit vector of increasing k; right-handed with i and j")] = (0.0, 0.0, 1.0)


class BeginImage(Message, frozen=True, kw_only=True):
    """Announce a daily image: a volume on a `grid`, or `radiographs`. The header's plan fingerprint must be that of the plan in use.

    The same image id with the same description goes on where it stopped: the reply says which slices are missing.
    """

    image_id: Annotated[Identifier, Meta(description="the sender's choice; names the image on disk")]
    grid: Annotated[ImageGrid | None, Meta(description="of a volume; null for radiographs")] = None
    radiographs: Annotated[
        Annotated[list[RadiographFrame], Meta(min_length=1, max_length=MOST_FRAMES)] | None,
        Meta(description="one a slice, of the patient in one pose; null for a volume"),
    ] = None
    dtype: Annotated[
        Literal["int16", "uint16"],
        Meta(
            description="little-endian, column index fastest: int16 Hounsfield units of a volume (i, then j, then k), uint16 of radiographs"
        ),
    ] = "int16"
    position: PatientPosition
    isocentre_mm: Annotated[
        Vector | None,
        Meta(description="machine isocentre in daily LPS, where the image states it; null leaves it to the profile; radiographs: null"),
    ] = None
    image_patient_id: Annotated[Text | None, Meta(description="from the image itself, to be compared with the plan's")] = None
    frame_of_reference_uid: Text | None = None
    table_angle_deg: Annotated[
        float | None,
        Meta(
            description="planned IEC 61217 patient support angle at which the couch corrects, without the yaw of corrections; null: that "
            "of the plan's beams within 10 degrees of the image's, else 0"
        ),
    ] = None
    image_table_angle_deg: Annotated[
        float | None,
        Meta(description="patient support angle read during the scan; null: the couch's, where it says it, else the planned one"),
    ] = None
    scan_offset_mm: Annotated[
        Vector | None, Meta(description="shift made on purpose after the scan, IEC fixed axes; null is the protocol's")
    ] = None
    couch: Annotated[CouchReadout | None, Meta(description="during the scan; without it the answer has no absolute couch target")] = None
    source: Annotated[Text, Meta(description="names the image in sentences")] = "daily image"


class BeginImageReply(Reply, frozen=True, kw_only=True):
    """Disk space is set aside: send slabs, at most `credit_slabs` of them unacknowledged."""

    image_id: Identifier
    credit_slabs: Count
    largest_slab_bytes: Count
    missing: Annotated[list[Range], Meta(description="slices not on disk yet; at most 64 ranges")]
    plan_isocentre_mm: Annotated[
        Vector | None,
        Meta(description="the isocentre that the image is for, plan LPS: the one that the linac has loaded, else the plan was loaded with"),
    ] = None


class EndImage(Message, frozen=True, kw_only=True):
    """All slabs are acknowledged: answer."""

    image_id: Identifier
    couch: Annotated[CouchReadout | None, Meta(description="at the end of the scan; without it nothing can be claimed")] = None


class EndImageReply(Reply, frozen=True, kw_only=True):
    """The registration has been asked for; the answer comes as an event."""

    image_id: Identifier


class Snapshot(Message, frozen=True, kw_only=True):
    """Ask for everything that a follower needs to know now."""


class AlertState(Struct, frozen=True, kw_only=True):
    """An alert that stands."""

    code: Identifier
    priority: Annotated[Literal["high", "medium", "low", "information"], Meta(description="after IEC 60601-1-8")]
    sentence: Sentence
    remedy: Annotated[str, Meta(description="what to do")]
    cleared_by: Annotated[str, Meta(description="who or what may clear it")]


class ImageState(Struct, frozen=True, kw_only=True):
    """The image in hand."""

    image_id: Identifier
    slices_stored: Count
    slices_total: Count


class Error(Reply, frozen=True, kw_only=True):
    """The request was not carried out."""

    code: Annotated[Identifier, Meta(description="from the table of errors")]
    sentence: Sentence


# ------------------------------------------------------------------------------------------------ images


class Slab(Message, frozen=True, kw_only=True):
    """Whole slices of an image (radiographs: whole frames); their voxels or pixels follow as one raw frame."""

    image_id: Identifier
    k_start: Annotated[Count, Meta(description="index of the first slice")]
    slices: Annotated[int, Meta(ge=1)]
    dtype: Annotated[Literal["int16", "uint16"], Meta(description="as announced")] = "int16"
    length_bytes: Annotated[Count, Meta(description="of the raw frame: slices x rows x columns x 2")]
    crc32: Annotated[int, Meta(ge=0, le=0xFFFFFFFF, description="of the raw frame (ISO 3309, as in zlib)")]


class SlabStored(Reply, frozen=True, kw_only=True):
    """The slab is on disk and survives a power cut; a repeated slab is acknowledged again."""

    image_id: Identifier
    k_start: Count
    slices: Count
    missing: Annotated[list[Range], Meta(description="slices still not on disk; at most 64 ranges")]


# ------------------------------------------------------------------------------------------------ events


class Welcome(Message, frozen=True, kw_only=True):
    """First thing that a subscriber hears: its subscription stands, so now it asks for the snapshot."""


class Heartbeat(Message, frozen=True, kw_only=True):
    """Every second; silence for 3 s means that the engine cannot be heard."""

    last_number: Number
    journal_head: Annotated[
        Text, Meta(description="number and SHA-256 of the journal's last row, with every event up to `last_number`")
    ] = ""


class StateChanged(Event, frozen=True, kw_only=True):
    """The session's state, from the table of states."""

    previous: Text
    state: Text
    trigger: Text
    image_id: Text | None = None


class ImageProgress(Event, frozen=True, kw_only=True):
    """More of the image is on disk."""

    image: ImageState


class Progress(Event, frozen=True, kw_only=True):
    """How far the answer is, or the plan where there is no image."""

    image_id: Identifier | None
    stage: Text
    fraction: Annotated[float, Meta(ge=0, le=1)]


class Proposal(Event, frozen=True, kw_only=True):
    """A correction is proposed; it releases nothing by itself. All times are of the engine's monotonic clock."""

    image_id: Identifier
    proposal_id: Annotated[Identifier, Meta(description="to approve, override and claim it by")]
    expires_monotonic_s: Annotated[Seconds, Meta(description="when the image is too old to move a patient by")]
    answer: Annotated[dict[str, Any], Meta(description="the object of docs/json.md")]
    last_byte_received_monotonic_s: Annotated[Seconds, Meta(description="when the image's last byte reached the engine")]
    published_monotonic_s: Annotated[Seconds, Meta(description="when this event was published")]


class Refusal(Event, frozen=True, kw_only=True):
    """There is no correction: the match is not to be trusted, cannot be made, or is partial (one radiograph). Times as in a proposal."""

    image_id: Identifier
    answer: Annotated[
        dict[str, Any], Meta(description="the object of docs/json.md; its correction is null, its outcome refused or partial")
    ]
    last_byte_received_monotonic_s: Seconds
    published_monotonic_s: Seconds


class Verdict(Event, frozen=True, kw_only=True):
    """The verdict on a proposal or refusal, which came just before."""

    image_id: Identifier
    verdict: Annotated[Literal["proceed", "caution", "stop", "refused"], Meta(description="what the therapist is told")]
    reason: Annotated[str, Meta(description="the findings that decided it, or why the match holds")]


class ImageDifference(Struct, frozen=True, kw_only=True):
    """A finding on two images."""

    code: Annotated[Identifier, Meta(description="from docs/findings.md")]
    sentence: Sentence
    value: float | None
    limit: float | None
    unit: Annotated[str, Meta(description="of value and limit; empty where there is none")]
    level: Annotated[Literal["inform", "warn", "stop"], Meta(description="how grave")]


class ImagesCompared(Event, frozen=True, kw_only=True):
    """An image took the place of an earlier one of the same set-up: it counts alone. The couch's motion between them is taken out."""

    image_id: Identifier
    earlier_image_id: Identifier
    findings: list[ImageDifference]


class ImageFailed(Event, frozen=True, kw_only=True):
    """No answer will come for this image."""

    image_id: Identifier
    code: Annotated[Identifier, Meta(description="from the table of errors")]
    sentence: Sentence


class Alert(Event, frozen=True, kw_only=True):
    """Something that a person must know."""

    alert: AlertState


class AlertCleared(Event, frozen=True, kw_only=True):
    """An alert no longer stands."""

    code: Identifier
    by: Annotated[Text | None, Meta(description="the person who cleared it; null where the engine did")] = None


class Stopping(Event, frozen=True, kw_only=True):
    """The engine was asked to stop; no heartbeat follows."""


class SnapshotReply(Reply, frozen=True, kw_only=True):
    """The state at event `number`: drop events up to it, then follow."""

    number: Number
    state: Text
    plan_label: Text | None
    machine: Text | None
    protocol: Text | None
    image: ImageState | None
    result: Annotated[Proposal | Refusal | ImageFailed | None, Meta(description="the event that told what came of the image")]
    alerts: list[AlertState]
    standing: Standing
    journal_head: Annotated[Text, Meta(description="as in the heartbeat")]
    engine: Annotated[str, Meta(description="version of the software")]
