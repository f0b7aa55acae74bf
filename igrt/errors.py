"""The two ways a call can fail: the input is wrong, or igrt is."""


class InputError(ValueError):
    """Bad input: one sentence naming the file or field, what is wrong, and what to do.

    The command line prints it as it is and exits with code 4; the engine sends it as the reason of a refusal.
    Anything else that escapes is a defect of igrt (exit code 5).
    """


class NothingToMatchError(InputError):
    """The image shows too little of the anatomy to be matched: what else it shows, implanted markers, may still give a pose."""
