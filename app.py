"""Opens MLM Studio: `python app.py`. A Space runs this file too."""

from mlm_gui.ui.app import serve

if __name__ == "__main__":
    serve()
