"""All Flask: the app as a table of contents, one blueprint a resource, rights, errors; and the relay."""
