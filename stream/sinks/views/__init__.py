"""The views: everything that is shown, in one SQLite file that rebuilds itself from the log."""
