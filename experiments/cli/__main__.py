"""``python -m experiments.cli``, the form that torchrun starts."""

from experiments.cli import main

main()
