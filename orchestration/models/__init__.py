"""Language models by one protocol: providers over HTTP, the offline demo provider, pipes."""
