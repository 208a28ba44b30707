//! Order and protection: which alternative to take, what to back up, how to guard, verify and undo each step. Pure.
