"""The rules, one small function each: it yields a breach for whatever is wrong, and nothing where all is right."""
