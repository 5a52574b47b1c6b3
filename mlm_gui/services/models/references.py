"""How the model of a run is named: "run:" and the run's id."""

_PREFIX = "run:"


def name_of_run(run_id: str) -> str:
    """The name of the model of this run."""
    return f"{_PREFIX}{run_id}"


def run_id_of(model: object) -> str | None:
    """ "run:ID" -> "ID". None for the name of any other model, and for what is no name.

    The id comes from a person or a file, so it may be no id at all: look it up, build no path.
    """
    if not isinstance(model, str) or not model.strip().startswith(_PREFIX):
        return None
    return model.strip().removeprefix(_PREFIX)


def names_run(model: object) -> bool:
    """True for the name of a run's model, whether there is such a run or not."""
    return run_id_of(model) is not None
