"""What the parity tests run on."""

import numpy as np

from igrt.compute import reference


def image(shape: tuple[int, int, int], seed: int = 1) -> np.ndarray:
    """HU beyond both bounds, some of it flat."""
    hu = np.random.default_rng(seed).integers(-1200, 3300, shape).astype(np.int16)
    hu[shape[0] // 3 : shape[0] // 2] //= 30
    return hu


def valid(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(2).random(shape) > 0.2


def scores(shape: tuple[int, int, int] = (23, 41, 37)) -> np.ndarray:
    rng = np.random.default_rng(4)
    values = rng.normal(0, 2500, shape).astype(np.int16)
    values[rng.random(shape) < 0.002] = reference.NO_SCORE
    values[:, :3] = reference.NO_SCORE
    return values


def problem(count: int) -> dict:
    rng = np.random.default_rng(8)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    oblique, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return {
        "scores": scores(),
        "index_from_mm": np.column_stack([oblique / [[0.9], [1.3], [2.0]], [18, 20, 11]]),
        "positions_mm": rng.uniform(-20, 20, (3, count)).astype(np.float32),
        "values": rng.normal(size=count).astype(np.float32),
        "rotation": turn,
        "translation_mm": np.array([1.0, -2, 3]),
        "scale": 0.8,
    }


def accumulated(verbs, p: dict) -> np.ndarray:
    arrays = [p[name] for name in ("scores", "index_from_mm", "positions_mm", "values")]
    return verbs.accumulate(*arrays, rotation=p["rotation"], translation_mm=p["translation_mm"], scale=p["scale"])
