"""The generator of the bundled sample: Korean sentence pairs written for this project."""
