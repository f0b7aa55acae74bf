"""DICOM and volume files, in and out: planning CT, structures, plan, daily image. The only room that knows pydicom."""
