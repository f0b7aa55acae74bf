"""Records the sessions that the tests replay: `python -m tests.replay.record [NAME ...]`, without a name all of them.

Needed when a change is meant to give other answers, decisions or messages; look at what `igrt replay` says of the old ones first.
"""

import sys
import tempfile
from pathlib import Path

from tests.replay.library import PLAN, RECORDINGS, record_plan, record_session, unpack
from tests.replay.sessions import SESSIONS


def main(names: list[str]) -> None:
    """Record, and say how large."""
    with tempfile.TemporaryDirectory(prefix="igrt-recordings-") as folder:
        if names and (RECORDINGS / f"{PLAN}.zip").exists():
            plan = unpack(PLAN, Path(folder))
        else:
            RECORDINGS.mkdir(exist_ok=True)
            plan = record_plan(Path(folder))
        for name in names or SESSIONS:
            made = record_session(name, Path(folder), plan)
            sys.stdout.write(f"{name}: {made.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
