//! Rows, generated to production's counts, or loaded from a dump.
