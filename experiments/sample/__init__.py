"""The bundled sample data set: Korean sentence pairs written for this project, and their maker."""
