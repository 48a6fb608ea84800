"""A model that meets samples as they come: files that land in a folder, rows of a stream.

``verdicts`` makes entries of a history from scores, ``arrivals`` says which files are whole, ``reading`` makes samples
of them, ``watcher`` scores them, ``actions`` moves flagged files and runs commands, ``stream`` reads rows.
"""
