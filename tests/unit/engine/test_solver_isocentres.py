"""The worker answers for the isocentre that the image is for, with that isocentre's beams and table angles."""

from dataclasses import replace

import numpy as np

from igrt.engine.solver import AnswerSolver
from igrt.images.records import PlannedIsocentre
from tests.answer_cases import ISOCENTRE_MM, make_plan

OTHER_MM = (12.0, -34.0, 16.0)


def test_the_plan_is_about_the_isocentre_that_is_asked_for():
    isocentres = (
        PlannedIsocentre(tuple(ISOCENTRE_MM.tolist()), ("field 1",), (0.0,)),
        PlannedIsocentre(OTHER_MM, ("field 2",), (30.0,)),
    )
    plan = make_plan()
    plan = replace(plan, identity=replace(plan.identity, beams=("field 1",), table_angles_deg=(0.0,), isocentres=isocentres))
    solver = AnswerSolver(None, None)
    solver._plan = plan
    assert solver._plan_for(None) is plan
    other = solver._plan_for(OTHER_MM)
    np.testing.assert_array_equal(other.isocentre_mm, OTHER_MM)
    assert (other.identity.beams, other.identity.table_angles_deg) == (("field 2",), (30.0,))
    assert other.ct is plan.ct
    assert other.fingerprint == plan.fingerprint
