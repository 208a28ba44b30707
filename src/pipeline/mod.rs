//! A whole rehearsal: the list of experiments and the loop over them. Prints nothing.

pub mod settings;
