//! What of the upgrade makes one step: a statement, a group of look-alikes, or what must share one session.

use super::input::Input;
use super::loss::Loss;
use super::record::LeftOut;
use crate::advise::record::Trial;
use crate::replay::record::{Observation, Outcome};
use crate::sql::record::{Action, Kind, Statement, TableName, TransactionStep};

/// What one step carries out.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// What was seen of it, in order; never empty.
    pub observations: Vec<&'a Observation>,
    /// The alternative that stands in for it.
    pub trial: Option<&'a Trial>,
    /// The statements themselves, groups unfolded.
    texts: Vec<&'a Statement>,
    database: String,
    preamble: Vec<String>,
}

impl<'a> Unit<'a> {
    /// Its first statement.
    pub fn first(&self) -> &'a Statement {
        &self.observations[0].statement
    }

    /// The id of its last statement.
    pub fn last_id(&self) -> &str {
        self.observations.last().map_or("", |seen| seen.last_id.as_str())
    }

    /// How many statements it is.
    pub fn count(&self) -> u64 {
        self.observations.iter().map(|seen| seen.count).sum()
    }

    /// Its statements, groups unfolded as far as they are known.
    pub fn statements(&self) -> impl Iterator<Item = &'a Statement> + '_ {
        self.texts.iter().copied()
    }

    /// The same done by another alternative, or as it was written.
    pub fn by(&self, trial: Option<&'a Trial>) -> Self {
        Self { trial, ..self.clone() }
    }

    /// It is one statement.
    pub fn is_single(&self) -> bool {
        self.observations.len() == 1 && self.count() == 1
    }

    /// The statement runs itself, or in batches: no other one stands in for it.
    pub fn keeps_statement(&self) -> bool {
        self.trial.is_none_or(|trial| trial.alternative.actions.iter().any(|action| matches!(action, Action::Walk(_))))
    }

    /// What it runs.
    pub fn actions(&self) -> Vec<Action> {
        match self.trial {
            Some(trial) => trial.alternative.actions.clone(),
            None => self.texts.iter().map(|statement| Action::Once((*statement).clone())).collect(),
        }
    }

    /// Where the alternative puts the table of a loss aside, when it swaps it.
    pub fn kept(&self, loss: &Loss) -> Option<&'a TableName> {
        let table = loss.table()?;
        let dropped = |kept: &TableName| {
            self.trial.is_some_and(|trial| {
                trial.alternative.actions.iter().any(|action| action.statement().reading.effect.drops.contains(kept))
            })
        };
        self.trial?
            .alternative
            .actions
            .iter()
            .find_map(|action| action.statement().reading.effect.renames.get(table))
            .filter(|kept| !dropped(kept))
    }

    /// The alternative alters what the statements alter, in other words: what undoes them undoes it.
    pub fn restates(&self) -> bool {
        let alters = |action: &Action| {
            matches!(action.statement().reading.kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex)
        };
        self.trial.is_some_and(|trial| trial.alternative.actions.iter().all(alters))
    }

    /// The alternative copies rows into the table that it puts in the place of another.
    pub fn refills(&self) -> bool {
        let copies = |action: &Action| action.statement().reading.kind == Kind::Insert;
        self.trial.is_some_and(|trial| trial.alternative.actions.iter().any(copies))
    }

    /// `tracking-delete`, `s3`, `s3-to-s9`: good in a file name.
    pub fn label(&self) -> String {
        let first = self.first();
        let label = match (&first.name, self.count()) {
            (Some(name), _) => name.clone(),
            (None, 1) => first.id.clone(),
            (None, _) => format!("{}-to-{}", first.id, self.last_id()),
        };
        label.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).take(60).collect()
    }

    /// One line for people.
    pub fn title(&self) -> String {
        let what: String =
            self.first().text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(90).collect();
        let what = if what.len() < self.first().text.trim().len() { format!("{what} …") } else { what };
        let many = match self.count() {
            1 => String::new(),
            count if self.observations.len() == 1 => {
                format!(", and {} more alike", crate::quantity::grouped(count - 1))
            }
            count => format!(", and {} more in one session", crate::quantity::grouped(count - 1)),
        };
        match self.trial {
            Some(trial) => format!("{} instead of: {what}", trial.alternative.title),
            None => format!("{what}{many}"),
        }
    }

    /// What brings a fresh session to where the statement needs it.
    pub fn session(&self) -> Vec<String> {
        let uses = (!self.database.is_empty())
            .then(|| format!("USE {}", crate::sql::record::quote_identifier(&self.database)));
        let own_use = self.preamble.iter().any(|line| line.trim_start().to_ascii_uppercase().starts_with("USE "));
        uses.filter(|_| !own_use).into_iter().chain(self.preamble.iter().cloned()).collect()
    }

    /// The database in use.
    pub fn database(&self) -> &str {
        &self.database
    }
}

/// Sorts the upgrade into units; what is left out, and what speaks against the plan.
pub fn units<'a>(input: &Input<'a>) -> (Vec<Unit<'a>>, Vec<LeftOut>, Vec<String>) {
    let mut units: Vec<Unit<'a>> = Vec::new();
    let mut left_out = Vec::new();
    let mut blockers = Vec::new();
    let mut transaction: Option<u32> = None;
    for seen in input.loud {
        let statement = &seen.statement;
        let label = statement.label();
        match &seen.outcome {
            Outcome::Done => {}
            Outcome::Failed(fault) | Outcome::TimedOut(fault) => {
                blockers.push(format!("{label} failed in the sandbox: {fault}"));
            }
            Outcome::Skipped => {
                blockers.push(format!("{label} was not rehearsed: an earlier statement failed"));
            }
        }
        let said = input.statements.get(&statement.id);
        let session = said.map(|said| &said.preamble);
        let stood_for =
            |unit: &Unit<'_>| unit.trial.is_some_and(|trial| trial.alternative.also.contains(&statement.id));
        if let Some(last) = units.last_mut().filter(|last| stood_for(last)) {
            last.observations.push(seen);
            last.texts.extend(unfold(seen, input));
            continue;
        }
        let is_part = transaction.is_some() && seen.transaction == transaction
            || matches!(session, Some(Err(_)))
            || matches!(statement.reading.effect.transaction, TransactionStep::Commit | TransactionStep::Rollback);
        if !is_part && let Some(why) = no_step(statement) {
            left_out.push(LeftOut { statement: label.to_owned(), why });
            continue;
        }
        let texts = unfold(seen, input);
        if texts.len() as u64 != seen.count {
            blockers.push(format!(
                "{label} stands for {} statements, and the plan holds {} of them: carry out upgrade.sql for these, or rehearse again",
                seen.count,
                texts.len()
            ));
        }
        if let Some(between) = between(seen, input) {
            blockers.push(format!(
                "{label} stands for {} statements, and others stand between them ({between} is the first): the plan would run them in \
                 another order. Carry out upgrade.sql for these",
                seen.count
            ));
        }
        if let (true, Some(last)) = (is_part, units.last_mut()) {
            // An alternative stands in for a statement alone, not for a part of a transaction.
            if let Some(trial) = last.trial.take() {
                blockers.push(format!("{} cannot stand in for a part of a transaction", trial.alternative.title));
            }
            last.observations.push(seen);
            last.texts.extend(texts);
        } else {
            let trial = input
                .trials
                .iter()
                .find(|trial| trial.chosen && trial.completed && trial.alternative.statement == statement.id);
            let fallback =
                statement.reading.effect.tables().into_iter().next().map(|table| table.database).unwrap_or_default();
            let preamble = match session {
                Some(Ok(lines)) => lines.clone(),
                _ => Vec::new(),
            };
            units.push(Unit {
                observations: vec![seen],
                trial,
                texts,
                database: said.map_or(fallback, |said| said.database.clone()),
                preamble,
            });
        }
        transaction = match statement.reading.effect.transaction {
            TransactionStep::Commit | TransactionStep::Rollback | TransactionStep::ImplicitCommit => None,
            TransactionStep::Begin | TransactionStep::AutocommitOff => seen.transaction.or(transaction),
            _ => seen.transaction.filter(|_| transaction.is_some()),
        };
        if statement.reading.effect.transaction == TransactionStep::Begin && transaction.is_none() {
            transaction = seen.transaction;
        }
    }
    (units, left_out, blockers)
}

/// Why a statement is no step: it only looks, or only sets the session that each script sets for itself.
fn no_step(statement: &Statement) -> Option<String> {
    let effect = &statement.reading.effect;
    let is_global = {
        let folded = statement.text.to_ascii_uppercase();
        folded.contains("GLOBAL") || folded.contains("PERSIST") || folded.contains("PASSWORD")
    };
    match statement.reading.kind {
        Kind::Select | Kind::Show | Kind::Explain if effect.writes.is_empty() && !effect.changes_session => {
            Some("it only looks".to_owned())
        }
        Kind::Use => Some("each script uses its own database".to_owned()),
        Kind::Set if !is_global && effect.transaction == TransactionStep::None => {
            Some("each script sets up its own session".to_owned())
        }
        _ => None,
    }
}

/// A group's statements; those that are not at hand are missing.
fn unfold<'a>(seen: &'a Observation, input: &Input<'a>) -> Vec<&'a Statement> {
    if seen.count == 1 {
        return vec![&seen.statement];
    }
    let Some(mut ids) = ids(seen) else { return vec![&seen.statement] };
    let there = ids.by_ref().map_while(|id| input.statements.get(&format!("s{id}")));
    there.map(|said| &said.statement).filter(|statement| statement.digest == seen.statement.digest).collect()
}

/// The first statement between a group's own that is none of them, and does something.
fn between(seen: &Observation, input: &Input<'_>) -> Option<String> {
    let own = &seen.statement.digest;
    let mut said = ids(seen)?.filter_map(|id| input.statements.get(&format!("s{id}")));
    let other = said.find(|said| said.statement.digest != *own && no_step(&said.statement).is_none())?;
    Some(other.statement.label().to_owned())
}

/// The numbers from a group's first statement to its last.
fn ids(seen: &Observation) -> Option<std::ops::RangeInclusive<u64>> {
    let number = |id: &str| id.strip_prefix('s').and_then(|digits| digits.parse::<u64>().ok());
    let range = number(&seen.statement.id)?..=number(&seen.last_id)?;
    (!range.is_empty()).then_some(range)
}
