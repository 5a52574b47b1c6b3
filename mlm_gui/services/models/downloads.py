"""Downloads from the Hub: in the background, a few at once, each under the server's limits; nobody holds a turn or a lock while one is under way."""

import fnmatch
import threading
from pathlib import Path

from mlm_gui.core.model import hub
from mlm_gui.errors import UserError
from mlm_gui.services.limits import Limits


class _Download:
    """One model on its way."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: UserError | None = None


class Downloads:
    """What this server fetches, and for whom it waits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way: dict[str, _Download] = {}
        self._changing = threading.Lock()

    def check_allowed(self, name: str) -> None:
        """Raises UserError when this server does not offer the Hub model of that name."""
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in self._limits.hub_models):
            offered = ", ".join(self._limits.hub_models)
            raise UserError(
                f"There is no model called {name[:100]} here.",
                "On this server only the starter and your own runs can be used"
                + (
                    f", and of the Hub these: {offered}."
                    if offered
                    else "; nothing is fetched from the Hub."
                ),
                "Choose one of those.",
            )

    def bring(self, name: str, patience: float | None) -> Path:
        """Folder of the Hub model, downloaded when it is not on this machine yet.

        patience: seconds to wait for the download, which goes on all the same; None waits until it is over. Raises UserError when the model
        does not arrive, is still on its way, or too many others are.
        """
        self.check_allowed(name)
        folder = hub.cached(name)
        if folder is not None:
            return folder
        with self._changing:
            download = self._under_way.get(name)
            if download is None:
                if (
                    sum(not other.over.is_set() for other in self._under_way.values())
                    >= self._limits.max_downloads
                ):
                    raise UserError(
                        f"{name} was not fetched.",
                        "Other models are being downloaded at this moment.",
                        "Try again in a few minutes, or use the starter.",
                    )
                self._under_way = {
                    known: other
                    for known, other in self._under_way.items()
                    if not other.over.is_set()
                }
                self._under_way[name] = download = _Download()
                threading.Thread(
                    target=self._fetch, args=(name, download), name="download", daemon=True
                ).start()
        if not download.over.wait(patience):
            raise UserError(
                f"{name} is being downloaded.",
                f"It is used here for the first time, and is given up to {self._limits.download_seconds / 60:.0f} minutes to arrive.",
                "Ask again in a minute; the starter can be used at once.",
            )
        with self._changing:  # whoever asks next begins anew
            if self._under_way.get(name) is download:
                del self._under_way[name]
        if download.error is not None:
            raise UserError(*download.error.args) from download.error
        return hub.fetch(name, self._limits.max_model_bytes, self._limits.download_seconds)

    def _fetch(self, name: str, download: _Download) -> None:
        try:
            hub.fetch(name, self._limits.max_model_bytes, self._limits.download_seconds)
        except UserError as error:
            download.error = error
        except Exception as error:  # whoever waits is told, whatever it was
            download.error = UserError(
                f"{name} could not be downloaded.",
                f"An unexpected error came up ({type(error).__name__}).",
                "Try again, or use the starter.",
            )
        finally:
            download.over.set()
