"""Public data sets and toys, one file each: it finds the files, checks them and makes arrays.

Every reader takes ``split`` ("train", "test" or "all"), ``data_dir`` and ``progress``, and ignores what it does not
need. ``ganad.data.DATASETS`` lists all readers. Each imports pyarrow, Pillow, SciPy or scikit-learn inside its
function, so that listing the data sets is fast.
"""
