//! One file a rule; its SQL lies in the folder of its name.

pub mod blocked_reads;
pub mod blocked_writes;
pub mod broken_queries;
pub mod commit_stall;
pub mod delete_all_rows;
pub mod drop_column;
pub mod drop_table;
pub mod not_understood;
pub mod statement_failed;
pub mod table_rebuild;
pub mod unbatched_delete;
pub mod unbatched_update;
