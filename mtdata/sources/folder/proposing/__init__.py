"""Looking at a folder of somebody's own, to propose what its `tasks.yaml` should say."""
