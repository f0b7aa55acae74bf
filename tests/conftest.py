"""What every test shares: the data folder, skipped openly where it is absent, and quick hypothesis settings."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("igrt", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("igrt")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, $IGRT_DATA or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("IGRT_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images are not here: set IGRT_DATA to their folder (looked in {folder})")
    return folder
