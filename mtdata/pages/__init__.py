"""Pages that need no other file: one style, figures drawn inline, pictures within the page."""
