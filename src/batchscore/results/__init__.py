"""Results read back by the manifest: typed columns in record order, conditions, the highest scores, files of them."""
