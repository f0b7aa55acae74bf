"""May this match be believed, and is the set-up within tolerance? Findings and a verdict from pure rules."""
