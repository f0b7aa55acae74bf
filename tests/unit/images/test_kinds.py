import pytest

from igrt.images.kinds import structure_kind


@pytest.mark.parametrize(
    ("interpreted_type", "name", "kind"),
    [
        ("PTV", "anything", "PTV"),
        ("ctv ", "Prostate", "CTV"),
        ("CTV", "ITV lung", "ITV"),
        ("GTV", "IGTV_1", "ITV"),
        ("PTV", "PTV from ITV", "PTV"),
        ("ORGAN", "PTV overlap", "ORGAN"),
        ("AVOIDANCE", "Lt Lung", "ORGAN"),
        ("EXTERNAL", "outline of today", "EXTERNAL"),
        ("MARKER", "PTV seed", "OTHER"),
        ("SUPPORT", "Couch", "OTHER"),
        ("", "PTV_6000", "PTV"),
        ("", "PTVboost", "PTV"),
        ("", "GTVp", "GTV"),
        ("", "ctv 1", "CTV"),
        ("", "iGTV", "ITV"),
        ("", "ITV_T50", "ITV"),
        ("", "PTV ring", "OTHER"),
        ("", "PTV_opt", "OTHER"),
        ("", "PTV-CTV", "OTHER"),
        ("", "NotPTV", "OTHER"),
        ("", "Body", "EXTERNAL"),
        ("", "External", "EXTERNAL"),
        ("", "Body minus lungs", "OTHER"),
        ("", "SpinalCord", "ORGAN"),
        ("", "Lung_L", "ORGAN"),
        ("", "Lt Lung", "ORGAN"),
        ("", "OpticChiasm", "ORGAN"),
        ("", "Optic nerve R", "ORGAN"),
        ("", "Esophagus", "ORGAN"),
        ("", "oesophagus", "ORGAN"),
        ("", "Rectum opt", "OTHER"),
        ("", "CRIBRIFORM", "OTHER"),
        ("", "", "OTHER"),
    ],
)
def test_kind(interpreted_type: str, name: str, kind: str):
    assert structure_kind(interpreted_type, name).value == kind
