//! Shows a rehearsal to people and to programs. Pure: selects and orders, never computes what a stage should have.
