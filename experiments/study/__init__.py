"""The one shape of every experiment: its run folder, results, finding, progress and report."""
