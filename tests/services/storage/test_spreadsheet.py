"""A spreadsheet opens what was measured and runs nothing."""

import csv
import io

import pytest

from mlm_gui.services.storage.spreadsheet import as_csv


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", "\rx", " =1"])
def test_text_that_looks_like_a_formula_is_neutralised(cell):
    ((written,),) = csv.reader(io.StringIO(as_csv([[cell]]), newline=""))
    assert written.startswith("'")


def test_numbers_and_plain_text_stay_as_they_are():
    assert list(csv.reader(io.StringIO(as_csv([["loss", -0.75, 3, 'a "b", c']])))) == [
        ["loss", "-0.75", "3", 'a "b", c']
    ]
