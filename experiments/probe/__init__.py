"""The probe: which differences between two sentences an encoder notices, and which it overlooks."""
