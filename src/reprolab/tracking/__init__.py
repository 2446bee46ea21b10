"""Runs in MLflow: a view of the files. The only room that imports mlflow."""
