"""Distillation: a small encoder learns the sentence geometry of a larger one."""
