"""One reader a kind of file; each returns a `Signal` in physical units, or says in a sentence what is off."""
