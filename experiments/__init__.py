"""What compares: data, metrics, significance, the comparison, its report, the commands."""
