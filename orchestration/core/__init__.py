"""Pure rules: values in, a value out. No I/O, no clock, no hidden randomness."""
