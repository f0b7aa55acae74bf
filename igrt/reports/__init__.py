"""Reports of an answer: one self-contained file that a clinic can read, print and keep."""
