"""An index cut into shards: each a normal index, searched side by side, wherever they are."""
