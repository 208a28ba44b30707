//! sqlparser, kept behind a wall: its own thread with a large stack for what is not short, limits on what it gets, and only
//! plain values out.
//!
//! A chain of some thousand operators overflows an ordinary stack, which ends the process (measured on 0.63).

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use sqlparser::ast::{ObjectName, Query, Statement, Visit, Visitor};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

/// Bytes of the parser thread's stack: 50,000 chained terms were survived with it.
const STACK: usize = 64 << 20;

/// Bytes of the longest text that is parsed: a tree takes up to 170 times its text.
const LONGEST: usize = 1 << 20;

/// Operators that may be chained.
const MOST_OPERATORS: usize = 2_000;

/// Bytes, and operators and brackets, of a text that any stack can take: the others are not worth handing over.
const SHORT: (usize, usize) = (500, 12);

/// What a parsed statement names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Relations, each as its unquoted parts, common table expressions left out.
    pub relations: BTreeSet<Vec<String>>,
}

struct Worker {
    work: Sender<String>,
    done: Receiver<Result<Tree, String>>,
}

/// The one parser thread: started when first needed, and again when it died.
static WORKER: Mutex<Option<Worker>> = Mutex::new(None);

/// Parses one statement.
///
/// # Errors
/// Why it could not be parsed.
pub fn parse(text: String, operators: usize) -> Result<Tree, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    if operators > MOST_OPERATORS {
        return Err(format!("it chains more than {MOST_OPERATORS} operators"));
    }
    let brackets = text.bytes().filter(|byte| *byte == b'(').count();
    if text.len() <= SHORT.0 && operators + brackets <= SHORT.1 {
        return catch_unwind(|| parse_here(&text)).unwrap_or_else(|_| Err("the parser gave up".to_owned()));
    }
    let mut worker = WORKER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let answer = ask(&mut worker, text);
    if answer.is_none() {
        *worker = None;
    }
    answer.unwrap_or_else(|| Err("the parser gave up".to_owned()))
}

fn ask(worker: &mut Option<Worker>, text: String) -> Option<Result<Tree, String>> {
    if worker.is_none() {
        *worker = Some(start()?);
    }
    let worker = worker.as_ref()?;
    worker.work.send(text).ok()?;
    worker.done.recv().ok()
}

fn start() -> Option<Worker> {
    let (work, incoming) = channel::<String>();
    let (outgoing, done) = channel();
    let serve = move || {
        for text in incoming {
            if outgoing.send(parse_here(&text)).is_err() {
                break;
            }
        }
    };
    std::thread::Builder::new().name("sql-parser".to_owned()).stack_size(STACK).spawn(serve).ok()?;
    Some(Worker { work, done })
}

fn parse_here(text: &str) -> Result<Tree, String> {
    let statements = Parser::parse_sql(&MySqlDialect {}, text).map_err(|error| {
        let said = error.to_string();
        said.strip_prefix("sql parser error: ").unwrap_or(&said).chars().take(200).collect::<String>()
    })?;
    let [statement] = statements.as_slice() else { return Err("it is not one statement".to_owned()) };
    Ok(tree(statement))
}

fn tree(statement: &Statement) -> Tree {
    #[derive(Default)]
    struct Names {
        relations: BTreeSet<Vec<String>>,
        common: BTreeSet<String>,
    }
    impl Visitor for Names {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let tables = query.with.iter().flat_map(|with| &with.cte_tables);
            self.common.extend(tables.map(|table| table.alias.name.value.to_lowercase()));
            ControlFlow::Continue(())
        }

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let parts = relation.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.clone());
            self.relations.insert(parts.collect());
            ControlFlow::Continue(())
        }
    }
    let mut names = Names::default();
    let _: ControlFlow<()> = statement.visit(&mut names);
    let Names { mut relations, common } = names;
    relations.retain(|parts| !matches!(parts.as_slice(), [name] if common.contains(&name.to_lowercase())));
    Tree { relations }
}
