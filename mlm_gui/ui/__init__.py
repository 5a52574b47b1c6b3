"""The page: the only room that knows gradio and plotly."""

from mlm_gui.services import environment

environment.prepare()  # gradio and transformers read these settings when they are imported
