"""Public data sets and toys, a file each: where the files are, what is checked, and the arrays they become.

Every reader takes ``split`` ("train", "test" or "all"), ``data_dir`` and ``progress``, and ignores what it does not
need. ``ganad.data.DATASETS`` lists them all, so each reader imports pyarrow, Pillow, SciPy or scikit-learn inside its
function: naming the data sets must not cost a second.
"""
