//! Servers that we may break: an engine (image or binary) running on a store (a data directory: copied, kept, put back).
