"""The recipe of the bundled backbone, and the benchmarks of what it is good for."""
