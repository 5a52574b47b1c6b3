"""The shell. `mlm-gui` alone opens the page; see `mlm-gui --help`."""

import os
import sys
from collections.abc import Sequence

from mlm_gui.cli.options import parser
from mlm_gui.cli.output import INTERRUPTED
from mlm_gui.errors import UserError
from mlm_gui.services import environment

REFUSED = 2
"""Exit status for what the person can put right."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 2 what the person can put right, 130 interrupted."""
    environment.prepare()
    try:
        options = parser().parse_args(sys.argv[1:] if arguments is None else arguments)
        options.command(options)
    except UserError as error:
        _refuse(error)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _refuse(
            UserError(
                "The command could not be finished.",
                f"The system said: {error.strerror or error}{place}.",
                "Check that place and its permissions, then try again.",
            )
        )


def _refuse(error: UserError) -> None:
    print(error.what, error.why, error.do, sep="\n", file=sys.stderr)
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()
