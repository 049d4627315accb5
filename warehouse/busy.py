"""What a writer says when another one has the warehouse and does not let go in time."""


class WarehouseBusy(Exception):
    """Another process is writing the warehouse and did not finish in time."""

    def __init__(self, place: str, holder: str) -> None:
        super().__init__(f"{place} is being written by process {holder}: try again when it has finished")
        self.place = place
        self.holder = holder
