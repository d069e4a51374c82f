"""A trained run in a web browser: photos of the user, and what the network says of them."""
