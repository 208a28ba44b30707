//! A whole rehearsal in one file, and what it expects. Pure.
