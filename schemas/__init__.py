"""What crosses a boundary: statuses, workflows, run documents, events. Versioned; no behaviour beyond validation."""
