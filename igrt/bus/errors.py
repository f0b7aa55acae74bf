"""What a client's call can raise beside InputError."""

from __future__ import annotations

from igrt.bus.messages import Error
from igrt.errors import InputError


class EngineSilentError(TimeoutError):
    """Nothing, or not what was waited for, came from the engine in time."""


class RefusedError(RuntimeError):
    """The engine did not carry out a request: `code` of the table of errors, and the sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


class RefusedInputError(RefusedError, InputError):
    """The engine found the input wrong; the sentence is the one that the command line prints."""


def refused(error: Error) -> RefusedError:
    """An error reply as an exception."""
    kind = RefusedInputError if error.code == "bad_input" else RefusedError
    return kind(error.code, error.sentence)
