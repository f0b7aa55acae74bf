"""The worker of the kills: answers that can be released, each with what it saw of the voxels, and slow enough to be killed in."""

import time
import zlib

from igrt.engine.worker import main
from tests.bus.chain_worker import ChainSolver

LOAD_S, ANSWER_S = 0.01, 0.02


class FaultsSolver(ChainSolver):
    """As the chain's."""

    def load(self, number, request, progress):
        time.sleep(LOAD_S)
        return super().load(number, request, progress)

    def answer(self, progress):
        time.sleep(ANSWER_S)
        told = [k for k, total in enumerate(self.sums) if total == total]
        return super().answer(progress) | {"slices_told": told, "crc32": zlib.crc32(self.hu.tobytes())}


if __name__ == "__main__":
    main(make_solver=FaultsSolver)
