//! The tables that forecasts are asked and tried on.

use super::*;

/// One server, one database, one table at a time.
pub struct Bench {
    pub instance: Instance,
    pub database: String,
    pub writer: Writer,
    pub reader: ReadOnly,
    pub thread: u64,
    pub shapes: BTreeMap<String, Vec<String>>,
    /// The shape that stands unaltered.
    pub standing: Option<String>,
    pub defaults: Vec<(String, String)>,
}

impl Bench {
    pub fn new(servers: &Servers, instance: &Instance, shapes: BTreeMap<String, Vec<String>>) -> Result<Self, Failed> {
        let database = servers.fresh_database(instance)?;
        let mut writer = instance.writer(Role::Keeper)?;
        let mut reader = instance.reader(Role::Watcher)?;
        execute::enable(&mut writer)?;
        writer.execute("SET SESSION sql_log_bin = 0")?;
        writer.use_database(&database)?;
        let id = writer.connection_id();
        let (thread,) = reader
            .first::<(u64,)>(&format!("SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_ID = {id}"))?
            .ok_or("the server does not tell its threads")?;
        let defaults = twin::state(&mut writer)?;
        Ok(Self { instance: instance.clone(), database, writer, reader, thread, shapes, standing: None, defaults })
    }

    /// Makes the shape's tables anew, unless they stand.
    pub fn stand(&mut self, shape: &str) -> Result<(), Failed> {
        self.set(&self.defaults.clone())?;
        if self.standing.as_deref() == Some(shape) {
            return Ok(());
        }
        self.writer.execute("DROP TABLE IF EXISTS k, t2, t, p")?;
        for text in self.shapes.get(shape).ok_or_else(|| format!("no shape {shape}"))? {
            self.writer.execute(text)?;
        }
        self.writer.execute(ROWS)?;
        self.standing = Some(shape.to_owned());
        Ok(())
    }

    pub fn set(&mut self, state: &[(String, String)]) -> Result<(), Failed> {
        for (name, value) in state {
            let value = if value.parse::<i64>().is_ok() { value.clone() } else { format!("'{value}'") };
            let set = self.writer.execute(&format!("SET SESSION {name} = {value}"));
            // Some of the defaults are read-only.
            if let Err(fault) = set
                && fault.is_connection_lost()
            {
                return Err(fault.into());
            }
        }
        Ok(())
    }

    pub fn survey(&mut self) -> Result<Survey, Failed> {
        let mut reader = self.instance.reader(Role::Surveyor)?;
        let options = read::Options { databases: vec![self.database.clone()], ..read::Options::default() };
        Ok(read::survey(&mut reader, &options, &Silent)?)
    }

    pub fn statement(&self, case: &Case) -> Result<Statement, Failed> {
        let options =
            Options { variables: BTreeMap::new(), database: self.database.clone(), flavor: self.instance.flavor() };
        let script = Script::from_text("alters.txt", &case.statement(), options);
        let action = script.actions()?.next().ok_or("no statement")??;
        match action {
            Action::Once(statement) => Ok(statement),
            Action::Walk(_) => Err("a statement became a walk".into()),
        }
    }

    /// The alteration with a further question, on the table itself.
    pub fn try_it(&mut self, case: &Case, text: &str) -> Result<Result<u64, Fault>, Failed> {
        self.stand(&case.shape)?;
        self.set(&case.state)?;
        match self.writer.execute(text) {
            Ok(done) => {
                self.standing = None;
                Ok(Ok(done.affected))
            }
            Err(fault) if fault.is_connection_lost() => Err(fault.into()),
            Err(fault) => Ok(Err(fault)),
        }
    }

    /// What the server really does.
    pub fn truth(&mut self, case: &Case, statement: &Statement) -> Result<String, Failed> {
        self.stand(&case.shape)?;
        let flavor = self.instance.flavor();
        let (table, after) = ask::altered(statement).ok_or("no table")?;
        let transactional = case.shape != "myisam";
        let before = ask::look(&mut self.reader, flavor, self.thread, &table, &after, transactional)?
            .emptying(ask::empties(statement));
        let affected = match self.try_it(case, &statement.text)? {
            Ok(affected) => affected,
            Err(fault) => return Ok(format!("refused ({})", fault.number)),
        };
        let facts = ask::after(&mut self.reader, flavor, &before, statement.reading.kind, affected)?;
        let Some(facts) = facts else { return Ok("not told".to_owned()) };
        let lock = if facts.algorithm == Algorithm::Instant {
            DdlLock::None
        } else {
            self.lock(case, statement, &table, facts.algorithm)?
        };
        Ok(outcome(facts.algorithm, facts.rebuilds, lock))
    }

    /// The lock, by which LOCK= is taken.
    pub fn lock(
        &mut self,
        case: &Case,
        statement: &Statement,
        table: &TableName,
        algorithm: Algorithm,
    ) -> Result<DdlLock, Failed> {
        let mut names: BTreeMap<TableName, TableName> = [(table.clone(), table.clone())].into();
        names.extend(statement.reading.effect.renames.values().map(|to| (to.clone(), to.clone())));
        let text = retarget::ddl(&statement.text, &self.database, self.instance.flavor(), &names).ok_or("no DDL")?;
        let (own, text) = match case.text.starts_with("OPTIMIZE") {
            true => (
                String::new(),
                Retargeted { head: "ALTER TABLE t".into(), clauses: "FORCE".into(), own: String::new() },
            ),
            false => (text.own.clone(), text),
        };
        for (word, lock) in [("NONE", DdlLock::None), ("SHARED", DdlLock::Shared), ("EXCLUSIVE", DdlLock::Exclusive)] {
            if own.contains("LOCK=") {
                if own.ends_with(word) {
                    return Ok(lock);
                }
                continue;
            }
            // MariaDB 11.2 and later would copy for a LOCK that the algorithm at hand does not give.
            let own =
                if own.is_empty() && algorithm == Algorithm::Inplace { "ALGORITHM=INPLACE" } else { own.as_str() };
            let options = if own.is_empty() { format!("LOCK={word}") } else { format!("{own}, LOCK={word}") };
            if self.try_it(case, &text.asking(&options))?.is_ok() {
                return Ok(lock);
            }
        }
        // Its grammar takes no LOCK: partitions are rebuilt under a lock that lets reads in.
        Ok(DdlLock::Shared)
    }
}
