"""What is fetched from the engine, chunk by chunk. `igrt.bus.messages` hands these types on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from igrt.bus.radiograph_messages import RadiographFrame
from igrt.bus.session_messages import ImageGrid
from igrt.bus.wire import Count, Identifier, Message, Reply, Text, Vector

LARGEST_CHUNK_BYTES = 256 << 10

What = Annotated[
    Literal["plan_ct", "contours", "daily_image"],
    Meta(description="planning CT and structures of the plan in use, or an image that was sent whole for it"),
]
Version = Annotated[Text, Meta(description="SHA-256 of the whole content, in hexadecimal")]


class Fetch(Message, frozen=True, kw_only=True):
    """Read a chunk of what the engine has. Changes nothing, is answered anew each time, and goes on anywhere: a chunk stands for itself."""

    what: What
    content_id: Annotated[Identifier, Meta(description="plan fingerprint, or image id")]
    version: Annotated[
        Text | None, Meta(description="from the first reply, so that chunks of two contents are never mixed; null takes what is there")
    ] = None
    offset_bytes: Count = 0
    most_bytes: Annotated[int, Meta(ge=1, le=LARGEST_CHUNK_BYTES)] = LARGEST_CHUNK_BYTES


class FetchReply(Reply, frozen=True, kw_only=True):
    """The chunk from `offset_bytes` on: `most_bytes` of it, or what is left; none at the end."""

    what: What
    content_id: Identifier
    version: Version
    offset_bytes: Count
    total_bytes: Count
    grid: Annotated[
        ImageGrid | None, Meta(description="of a volume, in the frame of its own: plan or daily LPS; null for contours and radiographs")
    ]
    radiographs: Annotated[list[RadiographFrame] | None, Meta(description="what was said of each; null for a volume and contours")] = None
    encoding: Annotated[
        Literal["int16", "uint16", "msgpack"],
        Meta(
            description="int16: little-endian HU, i fastest, then j, then k; uint16: radiographs, one after the other, row by row; "
            "msgpack: a list of FetchedStructure, as one content"
        ),
    ]
    data: Annotated[bytes, Meta(description="the chunk")]


class FetchedStructure(Struct, frozen=True, kw_only=True):
    """One structure of the content of `contours`."""

    name: str
    kind: Annotated[str, Meta(description="GTV, CTV, ITV, PTV, ORGAN, EXTERNAL or OTHER")]
    contours_mm: Annotated[list[list[Vector]], Meta(description="planar, closed; vertices in plan LPS")]
