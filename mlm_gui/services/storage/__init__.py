"""Files on disk: texts, spreadsheets, and what is kept for how long."""
