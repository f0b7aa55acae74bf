"""A device that fails while it computes."""


class DeviceError(RuntimeError):
    """A GPU failed in the middle of its work: one sentence naming the device, what it did and what its driver said.

    Whoever catches this says so (an alert, where a patient waits) and computes the whole answer again on what
    `igrt.compute.device.stand_in` gives.
    """

    def __init__(self, device: str, doing: str, said: str) -> None:
        self.device, self.doing, self.said = device, doing, said
        super().__init__(f"{device} failed while it was to {doing}: {said}")
