"""The domain: runs of steps that are never lost. No Flask, no Celery, no environment."""
