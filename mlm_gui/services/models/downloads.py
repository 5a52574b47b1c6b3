"""Downloads from the Hub: in the background, a few at once, each under the server's limits.

Nobody holds a turn or a lock while a download is under way.
"""

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
        offered = self._limits.hub_models
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in offered):
            return
        hub_sentence = "; nothing is fetched from the Hub."
        if offered:
            hub_sentence = f", and of the Hub these: {', '.join(offered)}."
        raise UserError(
            f"There is no model called {name[:100]} here.",
            f"On this server only the starter and your own runs can be used{hub_sentence}",
            "Choose one of those.",
        )

    def bring(self, name: str, patience: float | None) -> Path:
        """Folder of the Hub model, downloaded when it is not on this machine yet.

        patience: seconds to wait for the download, which goes on all the same; None waits until
        it is over. Raises UserError when the model does not arrive, is still on its way, or too
        many others are.
        """
        self.check_allowed(name)
        folder = hub.cached(name)
        if folder is not None:
            return folder
        download = self._begin(name)
        if not download.over.wait(patience):
            minutes = self._limits.download_seconds / 60
            raise UserError(
                f"{name} is being downloaded.",
                "It is used here for the first time, "
                f"and is given up to {minutes:.0f} minutes to arrive.",
                "Ask again in a minute; the starter can be used at once.",
            )
        with self._changing:  # whoever asks next begins anew
            if self._under_way.get(name) is download:
                del self._under_way[name]
        if download.error is not None:
            raise UserError(*download.error.args) from download.error
        return hub.fetch(name, self._limits.max_model_bytes, self._limits.download_seconds)

    def _begin(self, name: str) -> _Download:
        """The download of this model, started unless it is under way already."""
        with self._changing:
            known = self._under_way.get(name)
            if known is not None:
                return known
            live = {
                other: download
                for other, download in self._under_way.items()
                if not download.over.is_set()
            }
            if len(live) >= self._limits.max_downloads:
                raise UserError(
                    f"{name} was not fetched.",
                    "Other models are being downloaded at this moment.",
                    "Try again in a few minutes, or use the starter.",
                )
            download = _Download()
            self._under_way = {**live, name: download}
        threading.Thread(
            target=self._fetch, args=(name, download), name="download", daemon=True
        ).start()
        return download

    def _fetch(self, name: str, download: _Download) -> None:
        try:
            hub.fetch(name, self._limits.max_model_bytes, self._limits.download_seconds)
        except UserError as error:
            download.error = error
        except Exception as error:  # whatever it was, whoever waits gets three sentences
            download.error = UserError(
                f"{name} could not be downloaded.",
                f"An unexpected error came up ({type(error).__name__}).",
                "Try again, or use the starter.",
            )
        finally:
            download.over.set()
