import os
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from igrt.errors import InputError
from igrt.reports import html
from igrt.reports.html import check_destination, render, write

CREATED = datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
LOADING = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "background", "formaction"}


class Page(HTMLParser):
    """Tags with their attributes, and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(accepted, plan, daily) -> Page:
    return Page(render(accepted, plan=plan, daily=daily, created=CREATED))


@pytest.fixture(scope="module")
def refusal(refused, plan, daily) -> Page:
    return Page(render(refused, plan=plan, daily=daily, created=CREATED))


def test_the_page_loads_nothing_and_runs_nothing(page):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in LOADING:
                assert (value or "").startswith("data:image/png;base64,")
    style = next(text for text in page.words if ":root" in text)
    assert "url(" not in style
    assert "@import" not in style


def test_a_browser_is_told_to_load_nothing(page):
    policies = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_names_of_every_kind_are_text(page, accepted, plan, daily):
    assert "Müller, Jörg <script>alert('x')</script>" in page.text
    assert "0042 & co" in page.text
    assert "PTV <1>" in page.text
    source = render(accepted, plan=plan, daily=daily, created=CREATED)
    assert "<script" not in source
    assert "&lt;script&gt;" in source


def test_the_verdict_is_word_colour_and_symbol(page, accepted):
    body = next(attributes for tag, attributes in page.tags if tag == "body")
    assert body["class"] == f"verdict-{accepted['verdict']}"
    assert accepted["verdict"].capitalize() in page.text
    assert any(tag == "svg" and a.get("class") == "symbol" for tag, a in page.tags)


def test_everything_that_the_reader_needs_is_there(page, accepted):
    for finding in accepted["findings"]:
        assert finding["sentence"] in page.text
        assert finding["code"] in page.text
    for point in accepted["residuals_mm"]:
        assert point in page.text
    for item in accepted["checked"]:
        assert item in page.text
    for words in (
        accepted["device"],
        accepted["machine"],
        accepted["protocol"],
        accepted["notice"],
        accepted["couch"]["model"],
        "02 March 2026",
    ):
        assert words in page.text
    assert "research default" in page.text


def test_the_correction_is_in_words_and_numbers(page):
    """The daily ball lies 8 mm to the patient's left (HFS: +x fixed), so the couch moves 8 mm the other way."""
    assert "−8.0 mm to the left, seen facing the gantry" in page.text


def test_three_planes_before_and_after(page):
    labels = [a["aria-label"] for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    for plane in ("Transverse", "Coronal", "Sagittal"):
        assert sum(label.startswith(f"{plane} plane through the isocentre, before") for label in labels) == 1
        assert sum(label.startswith(f"{plane} plane through the isocentre, after") for label in labels) == 2


def test_the_target_is_outlined_and_the_body_is_not(page):
    outlines = [a for tag, a in page.tags if tag == "path" and (a.get("class") or "").startswith("outline")]
    assert {a["class"] for a in outlines} == {"outline ptv"}
    assert len(outlines) == 9


def test_a_refusal_shows_before_alone_says_why_and_gives_no_motion(refusal, refused):
    labels = [a["aria-label"] for tag, a in refusal.tags if tag == "svg" and a.get("role") == "img"]
    assert len(labels) == 6
    assert all("before the match" in label for label in labels)
    assert "Refused" in refusal.text
    assert refused["reason"] in refusal.text
    assert "No correction is given" in refusal.text
    assert not any((a.get("class") or "").startswith("move") for _, a in refusal.tags)
    assert "What remains after" not in refusal.text
    assert "14.20" in refusal.text


def test_an_answer_for_another_plan_is_not_reported(accepted, plan, daily):
    with pytest.raises(InputError, match="another plan"):
        render({**accepted, "plan_fingerprint": "cd" * 32}, plan=plan, daily=daily)


def test_no_tag_is_left_open(accepted, plan, daily):
    source = render(accepted, plan=plan, daily=daily, created=CREATED)
    for tag in ("section", "div", "table", "tr", "figure", "svg", "dl", "ul", "main", "g"):
        assert len(re.findall(rf"<{tag}[ >]", source)) == source.count(f"</{tag}>"), tag


def test_a_destination_is_checked_before_any_work(tmp_path):
    check_destination(tmp_path / "new.html")
    with pytest.raises(InputError, match="is a folder"):
        check_destination(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        check_destination(tmp_path / "gone" / "report.html")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        check_destination(tmp_path / "report.html")


def test_a_file_is_written_whole_with_ordinary_permissions(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    write(path, "Grüße")
    assert path.read_text(encoding="utf-8") == "Grüße"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(html.os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
