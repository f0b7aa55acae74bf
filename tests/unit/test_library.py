import subprocess
import sys

import pytest

import igrt
from igrt.answer import verify
from igrt.images.load import load_daily, load_plan


def test_the_librarys_names_are_those_of_their_rooms():
    assert (igrt.verify, igrt.load_plan, igrt.load_daily) == (verify, load_plan, load_daily)
    assert set(igrt.__all__) <= set(dir(igrt))
    assert igrt.Client.__module__.startswith("igrt.bus")


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'verifi'"):
        igrt.verifi  # noqa: B018 - the access is the test


def test_the_import_alone_loads_nothing_heavy():
    code = "import sys, igrt; print([m for m in ('numpy', 'pydicom', 'zmq', 'SimpleITK', 'msgspec') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
