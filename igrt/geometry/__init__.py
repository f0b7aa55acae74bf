"""Rigid motions between named frames, voxel grids, IEC 61217, patient positions and the couch. No I/O."""
