"""``python -m kosim``: the form that torchrun starts."""

from kosim.experiments.cli import main

if __name__ == "__main__":
    main(prog_name="kosim")
