"""`reprolab check` beyond params.yaml: what surrounds the pipeline, and what will stop it there."""
