"""`mlm-gui` and `mlm-gui app`: the page."""

import argparse


def open_app(options: argparse.Namespace) -> None:
    """Opens the page and stays until somebody stops it."""
    from mlm_gui.services import environment
    from mlm_gui.services.storage.files import default_home

    home = options.home or default_home()
    environment.prepare(home)  # before the page imports gradio
    from mlm_gui.ui.server import serve

    serve(
        host=options.host,
        port=options.port,
        home=home,
        profile=options.profile,
        hub_models=options.hub_models,
    )
