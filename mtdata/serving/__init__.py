"""A server of this machine alone: who may ask, pages and what they load, errors as paragraphs."""
