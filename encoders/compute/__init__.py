"""Where an encoder's arithmetic happens: token ids go in, vectors or logits come out."""
