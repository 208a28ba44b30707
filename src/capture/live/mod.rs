//! An upgrade command, run where only the proxy answers.
//!
//! In: a command and what its configuration calls the database. Out: what it sent (told by the proxy), how it ended, and
//! the other hosts that it tried. The command gets a network of its own (and mounts of its own, for the sockets and the
//! files that lead to a server): every address is this network's, so what nobody listens on is refused at once and seen.
//! That guards against accidents; it is no prison for a hostile program that runs as root.
//!
//! Two processes of this program: outside the one that the person started, with the proxy; inside the [`keeper`], which
//! sets the network up, hands the listening sockets out, starts the command, and visits what is to be visited.

pub mod access;
pub mod command;
pub mod enclosure;
mod ground;
pub mod keeper;
mod link;
mod names;
mod processes;
pub mod record;
mod rights;
mod sockets;
mod tried;
mod visit;
