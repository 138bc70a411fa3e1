"""All SQL: tables, transition functions, named queries, migrations."""
