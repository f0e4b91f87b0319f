"""Pretraining of small ELECTRAs by replaced token detection."""
