"""The report of an experiment: its tables, plots and sections, rendered."""
