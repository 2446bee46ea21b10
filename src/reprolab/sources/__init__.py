"""One file a source of data: `fetch` puts its verified files into a folder, `load` reads that folder.

The options of `params.yaml` are keyword-only parameters of `load`: what is fetched depends on the source alone.
"""
