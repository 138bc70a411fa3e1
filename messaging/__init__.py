"""What both sides send with: the Celery app without tasks, the dispatcher, the event stream."""
