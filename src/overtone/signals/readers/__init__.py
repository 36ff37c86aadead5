"""One reader a kind of file. Each returns a `Signal` in the units of the file, or one sentence on what is wrong."""
