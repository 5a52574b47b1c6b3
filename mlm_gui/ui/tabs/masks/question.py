"""What is asked of the masks tab: the page's widgets as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, TypeVar
from zlib import crc32

from mlm_gui.core.masking.policy import UNITS, MaskPolicy
from mlm_gui.errors import UserError
from mlm_gui.ui.door import Between, OneOf, RunId, TextId, VisitorId

TEXT, BATCH = "a text", "the next batch of the run"
"""What can be looked at."""
RECOMMENDED, TUTORIAL = "Recommended", "Tutorial"
"""The rules. With the tutorial's, its labels and its padding are shown too."""
EACH_PASS, ONCE = "anew each pass", "once"
"""When masks are drawn."""
MAX_PASSES = 10
"""Passes over the text that the slider reaches."""
MAX_SEED = 2**31 - 1 - MAX_PASSES
MAX_NUMBER = 10**9
"""Of a step, and of a paragraph."""
MARKS_CHARACTERS = 5_000
"""Of the marks that are read."""
T = TypeVar("T")


@dataclass(frozen=True)
class MaskingQuestion:
    """Everything that decides what is shown. A number is None while its box is empty."""

    visitor: VisitorId
    text_id: TextId
    run_id: RunId
    source: Annotated[str, OneOf("What is looked at", (TEXT, BATCH))]
    text: str
    rule: Annotated[str, OneOf("The rule", (RECOMMENDED, TUTORIAL))]
    rate: Annotated[float, Between("The mask rate", 1, 60)] | None
    """Per cent, as the next two."""
    mask_share: Annotated[float, Between("The [MASK] share", 0, 100)] | None
    random_share: Annotated[float, Between("The random share", 0, 100)] | None
    unit: Annotated[str, OneOf("The unit", UNITS)]
    seed: Annotated[int, Between("The seed", 0, MAX_SEED)] | None
    epoch: Annotated[int, Between("The pass", 1, MAX_PASSES)] | None
    drawn: Annotated[str, OneOf("The time of the draw", (EACH_PASS, ONCE))]
    model: str | None
    with_ids: bool
    part: str | None
    """The part that is open."""
    marks: str
    """The pieces a person forced and forbade: "crc|+3-7" for the text and model of that crc."""
    step: Annotated[int, Between("The step", 1, MAX_NUMBER)] | None
    sequence: Annotated[int, Between("The paragraph", 1, MAX_NUMBER)] | None
    follows: bool
    """True when the step is to be the run's next one, always."""
    upcoming: Annotated[int, Between("The upcoming step", 1, MAX_NUMBER)]
    """The run's next step when the page last heard of it."""

    @property
    def policy(self) -> MaskPolicy:
        """How tokens are chosen. Raises UserError for an empty box, and for shares above 100 %."""
        return MaskPolicy(
            rate=given("The mask rate", self.rate) / 100,
            mask_share=given("The [MASK] share", self.mask_share) / 100,
            random_share=given("The random share", self.random_share) / 100,
            unit=self.unit,
        )

    @property
    def seed_of_pass(self) -> int:
        """The seed of the draw in this pass. Raises UserError for an empty box."""
        seed, epoch = given("The seed", self.seed), given("The pass", self.epoch)
        return seed if self.drawn == ONCE else seed + epoch - 1

    @property
    def checksum(self) -> str:
        """Eight hexadecimal digits for the text and the model."""
        return f"{crc32(f'{self.model} {self.text}'.encode(errors='replace')):08x}"

    def marked(self) -> tuple[set[int], set[int]]:
        """The pieces forced and forbidden; marks of another text or model count for nothing.

        "crc|+3-7" -> ({3}, {7})
        """
        checksum, _, listed = self.marks.partition("|")
        if checksum != self.checksum:
            return set(), set()
        found = re.findall(r"([+-])(\d{1,3})(?!\d)", listed[:MARKS_CHARACTERS])
        force = {int(place) for sign, place in found if sign == "+"}
        forbid = {int(place) for sign, place in found if sign == "-"}
        return force, forbid


def given(name: str, value: T | None) -> T:
    """The value of a box. Raises UserError for an empty one."""
    if value is None:
        raise UserError(f"{name} is missing.", "Its box is empty.", "Type a number into it.")
    return value
