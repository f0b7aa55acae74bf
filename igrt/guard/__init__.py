"""May this correction leave? Default deny: a correction is released only where every rule of `table.RULES` holds.

Pure: frozen values in, a decision out, the clock passed in. The room imports geometry alone, and re-computes with arithmetic of
its own what geometry computed (`landmarks`).

What it does not do. It has no collision model: it knows nothing of gantry, panels, accessories or the patient's outline, and a
target within the couch's travel may still strike something. It does not move anything: motion stays under the linac's own
hold-to-run, interlocks and speed. It does not judge the match: that is verification's. It cannot see an error that every source makes
alike (docs/guard.md lists them).
"""
