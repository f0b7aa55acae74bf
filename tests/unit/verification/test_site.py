from pathlib import Path

import pytest

from igrt.errors import InputError
from igrt.verification import site
from igrt.verification.site import Kind, available, read_calibration, shipped_folder, site_folder

MINIMAL = "[profile]\n"


def test_site_folder_is_the_argument_then_the_variable_then_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("IGRT_SITE", str(tmp_path / "named"))
    assert site_folder(tmp_path / "given") == tmp_path / "given"
    assert site_folder() == tmp_path / "named"
    monkeypatch.delenv("IGRT_SITE")
    assert site_folder().name == "igrt"


def test_a_site_without_the_file_falls_back_and_says_so(tmp_path):
    file = read_calibration(Kind.MACHINE, "research-default", tmp_path)
    assert file.shipped
    assert "as shipped with igrt" in file.words


def test_the_sites_own_file_comes_first(tmp_path):
    own = tmp_path / "machines" / "research-default.toml"
    own.parent.mkdir()
    own.write_text(MINIMAL)
    file = read_calibration(Kind.MACHINE, "research-default", tmp_path)
    assert not file.shipped
    assert str(own) in file.words
    assert file.tables == {"profile": {}}


def test_a_path_is_read_as_it_is(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(MINIMAL)
    read = read_calibration(Kind.PROTOCOL, str(file), tmp_path)
    assert (read.name, read.shipped) == ("mine", False)


def test_an_unknown_name_lists_those_there_are(tmp_path):
    (tmp_path / "machines").mkdir()
    (tmp_path / "machines" / "room2.toml").write_text(MINIMAL)
    with pytest.raises(InputError, match=r"no machine profile 'room3'.*choose one of .*research-default.*room2.*or write .*room3.toml"):
        read_calibration(Kind.MACHINE, "room3", tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", ".hidden", "a b"])
def test_a_name_is_not_a_way_out_of_the_folder(name, tmp_path):
    with pytest.raises(InputError, match="is not a name"):
        read_calibration(Kind.MACHINE, name, tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"[profile\n", "is not valid TOML"), (b"\xff\xfe", "is not UTF-8")],
)
def test_a_broken_file_is_named(content, sentence, tmp_path):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"broken.toml {sentence}"):
        read_calibration(Kind.MACHINE, str(file), tmp_path)


def test_an_absent_path_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.toml cannot be read \(No such file"):
        read_calibration(Kind.MACHINE, str(tmp_path / "absent.toml"), tmp_path)


def test_shipped_files_are_found_in_a_checkout_and_in_a_package(monkeypatch, tmp_path):
    package = tmp_path / "site-packages" / "igrt"
    module = package / "verification" / "site.py"
    monkeypatch.setattr(site, "__file__", str(module))
    with pytest.raises(RuntimeError, match="without its calibration"):
        shipped_folder()
    (tmp_path / "site-packages" / "calibration").mkdir(parents=True)
    assert shipped_folder() == tmp_path / "site-packages" / "calibration"
    (package / "calibration").mkdir(parents=True)
    assert shipped_folder() == package / "calibration"


def test_available_joins_site_and_shipped(tmp_path):
    (tmp_path / "protocols").mkdir()
    Path(tmp_path / "protocols" / "liver.toml").write_text(MINIMAL)
    names = available(Kind.PROTOCOL, tmp_path)
    assert {"liver", "default", "head", "spine_sbrt"} <= set(names)
    assert list(names) == sorted(names)
