"""The crash-safe store on disk: segments, log, manifest, snapshots and the lock of the writer."""
