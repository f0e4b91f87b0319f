"""The formats of text and table files; `kosim.encoders.tables` is the door to all of them."""
