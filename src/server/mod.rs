//! What a server is: its flavour and version, what it can do, the errors it raises, where it answers, who talks to it.
//!
//! The lowest room of the house: every vendor or version compare lives here, and nowhere above.
//! A [`ReadOnly`](session::ReadOnly) session has no way to write; a [`Writer`](session::Writer) has, and only
//! `sandbox/instance.rs` (and later `apply/target.rs`) may open one.

pub mod ability;
pub mod address;
pub mod fault;
pub mod flavor;
pub mod role;
pub mod session;
pub mod tls;
