"""Studies: an experiment trained again and again, over a space of settings, over seeds, or over folds."""
