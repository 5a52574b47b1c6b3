"""Opens MLM Studio: `python app.py`. A Space runs this file too."""

from mlm_gui.__main__ import main

if __name__ == "__main__":
    main(["app"])
