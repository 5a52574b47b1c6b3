# `make check` runs what CI runs before the tests; `make test` runs the tests; `make coverage` prints what they reach.
.PHONY: check format test coverage

check:
	ruff format --check .
	ruff check .
	mypy

format:
	ruff format .
	ruff check --fix .

test:
	pytest

coverage:
	pytest --cov --cov-report=term:skip-covered
