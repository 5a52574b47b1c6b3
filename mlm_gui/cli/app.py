"""`mlm-gui` and `mlm-gui app`: the page."""

import argparse


def open_app(options: argparse.Namespace) -> None:
    """Opens the page and stays until somebody stops it."""
    from mlm_gui.ui.server import serve

    serve(
        host=options.host,
        port=options.port,
        home=options.home,
        profile=options.profile,
        hub_models=options.hub_models,
    )
