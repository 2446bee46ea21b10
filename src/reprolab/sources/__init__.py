"""One file a source of data: `fetch` puts its verified files into a folder, `load` reads that folder.

The options of `params.yaml` are keyword-only parameters of `load`: what is fetched depends on the source alone.

A file may define `FEATURES`, the names of a table's columns; and `original_labels(folder)`, the labels (n,) as they are
published, in the order of `load`, where `load` makes other classes of them.
"""
