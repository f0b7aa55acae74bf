"""Stands in for the second solver: the plan's file says what it finds, or how it fails.

`second` is a list of difference (mm) and similarities at its own pose and at the answer's, or one of
`crash`, `hang`, `babble`, `bad_input`.
With `second_waits` it waits until a file `second_go` beside the plan appears, and says with `second_up` that it is there.
"""

import json
import os
import sys
import time
from pathlib import Path

from igrt.engine.second_tasks import SecondTask
from igrt.engine.second_worker import main
from igrt.errors import InputError
from igrt.verification.second_solver import SecondFigures


def stand_in(task: SecondTask) -> SecondFigures:
    """As the plan's file has it."""
    path = Path(task.plan.path)
    plan = json.loads(path.read_text())
    path.with_name("second_up").write_text(str(os.nice(0)))
    while plan.get("second_waits") and not path.with_name("second_go").exists():
        time.sleep(0.01)
    match plan["second"]:
        case "crash":
            os._exit(7)
        case "hang":
            time.sleep(600)
        case "babble":
            sys.stdout.buffer.write(b"nothing that can be read")
            sys.stdout.buffer.flush()
            os._exit(0)
        case "bad_input":
            raise InputError("the plan on disk is no longer the one that was loaded")
        case [difference_mm, similarity, there]:
            return SecondFigures(difference_mm=difference_mm, similarity=similarity, similarity_there=there, seconds=0.5)
    raise AssertionError(plan["second"])


if __name__ == "__main__":
    main(do=stand_in)
