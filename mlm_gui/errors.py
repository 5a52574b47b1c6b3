"""The one kind of error a person meets: three sentences, each of them required."""


class UserError(Exception):
    """Something the person can put right.

    It says what happened, why, and what to do next. The shell prints the three sentences and
    exits with 2; the page shows them in a notice. No work is lost when it is raised.
    """

    def __init__(self, what: str, why: str, do: str) -> None:
        super().__init__(what, why, do)
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} {self.why} {self.do}"
