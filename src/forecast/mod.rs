//! Forecasts: what a DDL will do before it runs, from the manuals and the table's definition.
//!
//! Pure. What the manual cannot tell is said to be unknown, with the reason; `tests/stages/forecast.rs` holds the forecasts
//! against the real servers and lists each that is wrong. A rehearsed statement has a better witness: its table's empty
//! twin, asked on the server itself ([`record::DdlForecast::from_twin`]).

mod change;
mod clause;
mod column;
pub mod ddl;
mod partition;
pub mod record;
pub mod scene;
mod way;
