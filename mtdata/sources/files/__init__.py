"""Reading files, of whatever source, without believing what they say of themselves."""
