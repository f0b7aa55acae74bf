"""RT Images: one test for each convention, on files that we write, and the same on files as real systems write them."""

import datetime as dt
from pathlib import Path

import numpy as np
import pydicom
import pytest

from igrt.errors import InputError
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import open_file, tolerant_reading
from igrt.images.radiographs import KvConventions, PixelSense, Radiograph, Radiographs, agreed_table_angle
from igrt.images.rt_image import read_radiograph, stated_geometry
from igrt.images.today import load_today
from igrt.images.write import WriteIdentity
from igrt.images.write_radiograph import write_radiograph

IDENTITY = WriteIdentity(patient_id="P-001", patient_name="A^B", seed="kv", acquired=dt.datetime(2026, 3, 1, 8, 30))
AS_FILED = KvConventions(name="test", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0))
CAMERA = XrayCamera(
    source_angle_deg=30.0,
    sad_mm=1000.0,
    receptor_translation_mm=(2.5, -1.5, -500.0),
    receptor_angle_deg=5.0,
    first_pixel_mm=(-39.0, 27.0),
    spacing_mm=(2.0, 2.0),
    shape=(28, 40),
    orientation=DEFAULT_ORIENTATION,
)


@pytest.fixture
def write(tmp_path: Path):
    """Writes the camera's radiograph, with elements changed by keyword (None deletes), and returns its path."""

    def make(name: str = "kv.dcm", *, camera: XrayCamera = CAMERA, jaws_mm=None, **changes: object) -> Path:
        path = tmp_path / name
        pixels = np.arange(camera.shape[0] * camera.shape[1], dtype=np.uint16).reshape(camera.shape) + np.uint16(1000)
        write_radiograph(
            pixels, path, camera=camera, identity=IDENTITY, position=PatientPosition.HFS, kvp=110, series=name, jaws_mm=jaws_mm
        )
        ds = pydicom.dcmread(path)
        for keyword, value in changes.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
        ds.save_as(path)
        return path

    return make


def assert_same_camera(got: XrayCamera, expected: XrayCamera) -> None:
    for column_row in ([0, 0], [39, 0], [0, 27], [11.5, 3.25]):
        np.testing.assert_allclose(got.fixed_of_pixel(column_row), expected.fixed_of_pixel(column_row), atol=1e-6)
    np.testing.assert_allclose(got.source_fixed_mm, expected.source_fixed_mm, atol=1e-6)


def camera_of(path: Path, conventions: KvConventions = AS_FILED) -> XrayCamera:
    return read_radiograph(path).camera(conventions)


def refused(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def changed(**values: object) -> XrayCamera:
    fields = {name: getattr(CAMERA, name) for name in XrayCamera.__dataclass_fields__}
    return XrayCamera(**{**fields, **values})


def test_what_is_written_is_read(write) -> None:
    image = read_radiograph(write())
    assert_same_camera(image.camera(AS_FILED), CAMERA)
    assert image.sense is PixelSense.INTENSITY
    assert image.kvp == 110
    assert image.exposed(AS_FILED).all()
    np.testing.assert_array_equal(image.pixels.ravel()[:3], [1000, 1001, 1002])


def test_absent_translation_is_the_standards_default(write) -> None:
    """(0, 0, SAD - SID)."""
    path = write(XRayImageReceptorTranslation=None)
    assert_same_camera(camera_of(path), changed(receptor_translation_mm=(0.0, 0.0, -500.0)))


def test_absent_orientation_is_the_standards_default(write) -> None:
    assert_same_camera(camera_of(write(RTImageOrientation=None)), CAMERA)


def test_stated_orientation_is_kept(write) -> None:
    path = write(RTImageOrientation=["1", "0", "0", "0", "1", "0"])
    assert_same_camera(camera_of(path), changed(orientation=(1, 0, 0, 0, 1, 0)))


def test_absent_position_is_a_centred_panel_off_by_the_profiles_offset(write) -> None:
    path = write(RTImagePosition="")
    assert_same_camera(camera_of(path), changed(first_pixel_mm=(-39.0, 27.0)))
    shifted = KvConventions(name="test", source_offset_deg=0.0, panel_offset_mm=(4.0, -3.0))
    assert_same_camera(camera_of(path, shifted), changed(first_pixel_mm=(-35.0, 24.0)))


def test_absent_sid_follows_from_the_translation(write) -> None:
    assert_same_camera(camera_of(write(RTImageSID="")), CAMERA)


def test_neither_sid_nor_translation(write) -> None:
    path = write(RTImageSID="", XRayImageReceptorTranslation=None)
    assert "lacks both RT Image SID (3002,0026) and X-Ray Image Receptor Translation (3002,000D)" in refused(lambda: camera_of(path))


def test_distances_that_contradict_each_other(write) -> None:
    path = write(RTImageSID="1400")
    assert "contradicts itself: RT Image SID (3002,0026) is 1400 mm" in refused(lambda: camera_of(path))


@pytest.mark.parametrize("offset", [0, 90, -90])
def test_the_arm_that_images(write, offset) -> None:
    conventions = KvConventions(name="test", source_offset_deg=offset, panel_offset_mm=(0.0, 0.0))
    assert_same_camera(camera_of(write(), conventions), changed(source_angle_deg=30.0 + offset))


def test_a_profile_without_an_arm_or_an_offset_is_refused_by_field(write) -> None:
    path = write()
    no_arm = KvConventions(name="linac1", source_offset_deg=None, panel_offset_mm=(0.0, 0.0))
    no_offset = KvConventions(name="linac1", source_offset_deg=0.0, panel_offset_mm=None)
    assert "linac1 does not state kv.source_offset_deg" in refused(lambda: camera_of(path, no_arm))
    assert "linac1 does not state kv.panel_offset_mm" in refused(lambda: camera_of(path, no_offset))


def test_flexmap_is_linear_around_the_circle(write) -> None:
    flex = KvConventions(
        name="test", source_offset_deg=0.0, panel_offset_mm=(1.0, 0.0), flexmap=((0.0, 0.0, 0.0), (60.0, 2.0, -1.0), (300.0, -2.0, 0.5))
    )
    np.testing.assert_allclose(flex.flex_mm(330.0), [-1.0, 0.25])
    assert_same_camera(camera_of(write(), flex), changed(first_pixel_mm=(-37.0, 26.5)))
    assert "list them rising" in refused(
        lambda: KvConventions(name="t", source_offset_deg=0.0, panel_offset_mm=(0, 0), flexmap=((90.0, 0, 0), (10.0, 0, 0)))
    )


def test_gantry_angle_of_the_exposure_stands_in_for_the_images(write) -> None:
    exposure = pydicom.Dataset()
    exposure.GantryAngle, exposure.NumberOfBlocks = "30", 0
    assert_same_camera(camera_of(write(GantryAngle=None, ExposureSequence=[exposure])), CAMERA)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"GantryAngle": None}, "lacks Gantry Angle (300A,011E), for which nothing can stand in"),
        ({"RadiationMachineSAD": ""}, "lacks Radiation Machine SAD (3002,0022)"),
        ({"ImagePlanePixelSpacing": ""}, "lacks Image Plane Pixel Spacing (3002,0011)"),
        ({"XRayImageReceptorAngle": ""}, "lacks X-Ray Image Receptor Angle (3002,000E)"),
        ({"RTImagePlane": "NON_NORMAL"}, "only images normal to the beam (NORMAL) are read"),
        ({"ImageType": ["DERIVED", "SECONDARY", "DRR"]}, "is a computed image (Image Type DRR)"),
        ({"PixelIntensityRelationship": "DISP"}, "LIN and LOG with sign 1 or -1 are read"),
        ({"NumberOfFrames": 2}, "no single-frame grey image"),
        ({"RTImageOrientation": ["1", "0", "0", "1", "0", "0"]}, "orthonormal"),
    ],
)
def test_what_decides_is_read_strictly(write, changes, words) -> None:
    path = write(**changes)
    assert words in refused(lambda: camera_of(path))


@pytest.mark.parametrize(
    ("relation", "sign", "sense"),
    [("LIN", 1, "intensity"), ("LIN", -1, "inverted"), ("LOG", 1, "log_intensity"), ("LOG", -1, "attenuation")],
)
def test_sense_of_pixels(write, relation, sign, sense) -> None:
    assert read_radiograph(write(PixelIntensityRelationship=relation, PixelIntensityRelationshipSign=sign)).sense == sense


def test_sense_is_unknown_where_either_is_missing(write) -> None:
    assert read_radiograph(write(PixelIntensityRelationshipSign=None)).sense is None


def test_rescale(write) -> None:
    image = read_radiograph(write(RescaleSlope="2", RescaleIntercept="-500", RescaleType="US"))
    assert image.pixels[0, 0] == 1500


def test_collimator_edges_project_to_the_panel(write) -> None:
    """Jaws at ±10 and ±6 mm of the isocentre are ±15 and ±9 mm on a panel at 1.5, around the beam axis."""
    camera = changed(receptor_angle_deg=0.0)
    exposed = read_radiograph(write(camera=camera, jaws_mm=(-10.0, 10.0, -6.0, 6.0))).exposed(AS_FILED)
    columns, rows = np.meshgrid(np.arange(40), np.arange(28))
    x, y = -39.0 + 2 * columns + 2.5, 27.0 - 2 * rows - 1.5
    np.testing.assert_array_equal(exposed, (np.abs(x) <= 15) & (np.abs(y) <= 9))


def test_collimator_edges_are_seen_where_the_profile_puts_the_panel(write) -> None:
    """A panel 20 mm further along x and 8 mm along -y sees the same edges ten columns earlier and four rows earlier."""
    jaws = (-10.0, 10.0, -6.0, 6.0)
    image = read_radiograph(write(camera=changed(receptor_angle_deg=0.0), jaws_mm=jaws))
    filed = image.exposed(AS_FILED)
    for offset, flexmap in (((20.0, -8.0), ()), ((14.0, 0.0), ((30.0, 6.0, -8.0),))):
        placed = KvConventions(name="test", source_offset_deg=0.0, panel_offset_mm=offset, flexmap=flexmap)
        np.testing.assert_array_equal(image.exposed(placed), np.roll(filed, (-4, -10), axis=(0, 1)))
        assert image.exposed(placed).sum() == filed.sum() > 100
    centred = read_radiograph(write("c.dcm", camera=changed(receptor_angle_deg=0.0), jaws_mm=jaws, RTImagePosition=""))
    np.testing.assert_array_equal(centred.exposed(AS_FILED), filed)


def test_turned_collimator_and_panel_stay_together(write) -> None:
    """Panel and collimator turned by the same angle: the edges are those of the unturned ones."""
    still = read_radiograph(
        write("a.dcm", camera=changed(receptor_angle_deg=0.0, receptor_translation_mm=(0, 0, -500)), jaws_mm=(-10.3, 12.3, -6.2, 8.3))
    )
    turned = read_radiograph(
        write(
            "b.dcm",
            camera=changed(receptor_angle_deg=20.0, receptor_translation_mm=(0, 0, -500)),
            jaws_mm=(-10.3, 12.3, -6.2, 8.3),
            BeamLimitingDeviceAngle="20",
        )
    )
    np.testing.assert_array_equal(still.exposed(AS_FILED), turned.exposed(AS_FILED))


def test_files_and_folders_of_radiographs(write, tmp_path: Path) -> None:
    first, second = write("a.dcm"), write("b.dcm", GantryAngle="120")
    (tmp_path / "readme.txt").write_text("x")
    pair, folder = load_today([first, second]), load_today(tmp_path)
    for found in (pair, folder):
        assert isinstance(found, Radiographs)
        assert [image.stated.gantry_angle_deg for image in found.images] == [30, 120]
        assert found.position is PatientPosition.HFS
        assert found.patient_id == "P-001"
    assert "passed over 1 file" in " ".join(folder.notes)


def test_what_does_not_belong_together(write) -> None:
    first = write("a.dcm")
    assert "is given twice" in refused(lambda: load_today([first, first]))
    other = write("c.dcm", PatientID="P-002")
    assert "mixes patients" in refused(lambda: load_today([first, other]))
    assert "leave daily isocentre_mm out" in refused(lambda: load_today([first], isocentre_mm=(0, 0, 0)))
    nobody = write("d.dcm", PatientPosition="")
    assert "states no patient position" in refused(lambda: load_today([nobody]))
    assert load_today([nobody], position="FFS").position is PatientPosition.FFS
    assert "position was given as FFP" in refused(lambda: load_today([first], position="FFP"))


def test_no_tube_voltage_is_said(write) -> None:
    found = load_today([write(KVP="")])
    assert found.images[0].kvp is None
    assert "states no tube voltage" in found.notes[0]


def test_table_angle_of_the_files(write) -> None:
    images: tuple[Radiograph, ...] = load_today([write(PatientSupportAngle="359.998")]).images
    agreed_table_angle(images, 0.0)
    words = refused(lambda: agreed_table_angle(images, 30.0))
    assert (
        "was taken at patient support angle 359.998, but the table angle of the images is taken to be 30; give --image-table-angle" in words
    )


@pytest.mark.parametrize(("angle_deg", "filed"), [(0.0, 0.0), (31.5, 31.5), (-30.0, 330.0)])
def test_the_table_angle_is_written(tmp_path: Path, angle_deg, filed) -> None:
    path, pixels = tmp_path / "kv.dcm", np.ones(CAMERA.shape, np.uint16)
    place = {"camera": CAMERA, "identity": IDENTITY, "position": PatientPosition.HFS, "table_angle_deg": angle_deg}
    write_radiograph(pixels, path, kvp=100, **place)
    assert read_radiograph(path).stated.support_angle_deg == filed


def test_a_written_radiograph_has_the_cameras_shape(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint16"):
        write_radiograph(
            np.zeros((2, 2), np.uint16), tmp_path / "x.dcm", camera=CAMERA, identity=IDENTITY, position=PatientPosition.HFS, kvp=100
        )


# The same conventions, as real systems write them.


@pytest.fixture
def vendor(shared_data: Path) -> Path:
    return shared_data / "vendor"


@pytest.mark.parametrize(
    ("name", "angle_deg", "source_mm", "middle_mm"),
    [  # source and middle of the panel in gantry axes; panel shifts are in the translation, positions are those of centred panels
        ("varian_obi_as500_g090.dcm", 90.0, 1000.0, (2.08301608936984, -2.5750994421759, -500.0)),
        ("varian_as1200_640_g270.dcm", 270.011616098596, 1000.0, (0.0004577, -0.0167008, -500.0484176)),
        ("varian_truebeam_1190_g270.dcm", 270.001658878007, 1000.0, (0.0008941, 0.0017919, -500.0177722)),
        (
            "elekta_iview_g000.dcm",
            0.0,
            1000.0,
            (0.0, 0.0, -600.0),
        ),  # neither translation nor position: the standard's default, the profile's offset
    ],
)
def test_vendor_geometry(vendor: Path, name: str, angle_deg: float, source_mm: float, middle_mm: tuple) -> None:
    with tolerant_reading():
        camera = read_radiograph(vendor / name).camera(AS_FILED)
    rows, columns = camera.shape
    middle = camera.fixed_of_pixel([(columns - 1) / 2, (rows - 1) / 2])
    angle = np.radians(angle_deg)
    to_room = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    np.testing.assert_allclose(camera.source_fixed_mm, to_room @ [0, 0, source_mm], atol=1e-6)
    np.testing.assert_allclose(middle, to_room @ middle_mm, atol=1e-6)


def test_vendor_file_without_a_gantry_angle(vendor: Path) -> None:
    """Its RT Image Position is empty too; that the profile could fill, an angle nothing can."""
    with tolerant_reading():
        assert "lacks Gantry Angle (300A,011E)" in refused(lambda: read_radiograph(vendor / "varian_as500_no_position.dcm"))


def test_vendor_drr_is_no_radiograph(vendor: Path) -> None:
    with tolerant_reading():
        assert "Image Type DRR" in refused(lambda: read_radiograph(vendor / "varian_aria_drr.dcm"))
        assert stated_geometry(open_file(vendor / "varian_aria_drr.dcm")).receptor_translation_mm.tolist() == [0, 0, 0]


def test_vendor_sense_pixels_and_rescale(vendor: Path) -> None:
    with tolerant_reading():
        image = read_radiograph(vendor / "varian_obi_as500_g090.dcm")
        elekta = read_radiograph(vendor / "elekta_iview_g000.dcm")
    assert image.sense is None
    assert (image.pixels.min(), image.pixels.max()) == (14670 - 16384, -1)
    assert elekta.sense is None
    assert elekta.pixels.max() == 65535


def test_vendor_jaws(vendor: Path) -> None:
    """5 by 5 cm at the isocentre, 75 mm on the panel, of 0.784 mm pixels."""
    with tolerant_reading():
        exposed = read_radiograph(vendor / "varian_obi_as500_g090.dcm").exposed(AS_FILED)
    rows, columns = np.flatnonzero(exposed.any(axis=1)), np.flatnonzero(exposed.any(axis=0))
    assert abs(len(rows) * 0.784 - 75) < 1.0
    assert abs(len(columns) * 0.784 - 75) < 1.0
