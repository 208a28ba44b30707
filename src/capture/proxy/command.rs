//! What clients ask of a server, by the first byte of a packet (MySQL's `my_command.h`; MariaDB's own from 0xfa on).

use std::time::Instant;

use jiff::Timestamp;

use super::answer::Shape;

pub(super) const QUIT: u8 = 0x01;
pub(super) const INIT_DB: u8 = 0x02;
pub(super) const QUERY: u8 = 0x03;
pub(super) const FIELD_LIST: u8 = 0x04;
pub(super) const CREATE_DB: u8 = 0x05;
pub(super) const DROP_DB: u8 = 0x06;
pub(super) const REFRESH: u8 = 0x07;
pub(super) const SHUTDOWN: u8 = 0x08;
pub(super) const STATISTICS: u8 = 0x09;
pub(super) const PROCESS_INFO: u8 = 0x0a;
pub(super) const PROCESS_KILL: u8 = 0x0c;
pub(super) const DEBUG: u8 = 0x0d;
pub(super) const PING: u8 = 0x0e;
pub(super) const CHANGE_USER: u8 = 0x11;
pub(super) const STMT_PREPARE: u8 = 0x16;
pub(super) const STMT_EXECUTE: u8 = 0x17;
pub(super) const STMT_SEND_LONG_DATA: u8 = 0x18;
pub(super) const STMT_CLOSE: u8 = 0x19;
pub(super) const STMT_RESET: u8 = 0x1a;
pub(super) const SET_OPTION: u8 = 0x1b;
pub(super) const STMT_FETCH: u8 = 0x1c;
pub(super) const RESET_CONNECTION: u8 = 0x1f;
pub(super) const STMT_BULK_EXECUTE: u8 = 0xfa;

/// A command that was sent on, and what is held of it.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub code: u8,
    /// What followed the first byte.
    pub payload: Vec<u8>,
    /// There was more than is held.
    pub cut: bool,
    /// When it was sent on.
    pub at: Timestamp,
    pub begun: Instant,
}

/// How a command is answered; `Ok(None)` when it is not, `Err(())` when it turns the session into something else
/// (a stream of binary log events) or nobody knows it.
pub(super) fn shape(code: u8) -> Result<Option<Shape>, ()> {
    Ok(Some(match code {
        QUERY | STMT_EXECUTE | STMT_BULK_EXECUTE | PROCESS_INFO => Shape::Results,
        STMT_PREPARE => Shape::Prepared,
        STMT_FETCH => Shape::Fetched,
        FIELD_LIST => Shape::Fields,
        STATISTICS => Shape::Text,
        INIT_DB | CREATE_DB | DROP_DB | REFRESH | SHUTDOWN | PROCESS_KILL | DEBUG | PING | CHANGE_USER | STMT_RESET
        | SET_OPTION | RESET_CONNECTION => Shape::Simple,
        QUIT | STMT_CLOSE | STMT_SEND_LONG_DATA => return Ok(None),
        _ => return Err(()),
    }))
}

/// The command's payload is needed to tell what was said.
pub(super) fn is_held(code: u8) -> bool {
    matches!(
        code,
        QUERY
            | INIT_DB
            | CREATE_DB
            | DROP_DB
            | REFRESH
            | CHANGE_USER
            | STMT_PREPARE
            | STMT_EXECUTE
            | STMT_SEND_LONG_DATA
            | STMT_CLOSE
            | STMT_RESET
            | SET_OPTION
            | STMT_BULK_EXECUTE
    )
}
