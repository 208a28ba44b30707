//! `make bench`: a general log and a slow log, read. How fast beside `pt-query-digest` on the same log, and in how much memory.
//!
//! `MB` is the size of the logs that are made, one after the other (500; `MB=5000` for 5 GB), `LOGS` which (`general slow`), `DIR`
//! where; `pt-query-digest` gets the first 20 MB. Both are measured three times in turn on these, and the medians compared.

#![allow(clippy::print_stdout)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

/// MB that the rival reads.
const PART: u64 = 20;
/// How many times as fast it has to be.
const TIMES: f64 = 20.0;
/// MB of memory that are flat.
const FLAT: u64 = 200;

/// How often both read the same part.
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let size = std::env::var("MB").ok().map(|text| text.parse()).transpose().context("MB is no number")?.unwrap_or(500);
    let logs = std::env::var("LOGS").unwrap_or_else(|_| "general slow".to_owned());
    for kind in logs.split_whitespace() {
        let place = std::env::var_os("DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = tempfile::tempdir_in(place)?;
        compare(kind, size, directory.path()).with_context(|| format!("the {kind} log"))?;
    }
    Ok(())
}

fn compare(kind: &str, size: u64, directory: &Path) -> Result<()> {
    let (write, rival_type): (Entry, _) = match kind {
        "general" => (general, "genlog"),
        "slow" => (slow, "slowlog"),
        other => bail!("LOGS: there is general, slow, not {other}"),
    };
    let (log, part) = (directory.join("whole.log"), directory.join("part.log"));
    make(&log, size, write).context("cannot make the log")?;
    let mut head = vec![0; (PART << 20).min(size << 20) as usize];
    File::open(&log)?.read_exact(&mut head)?;
    fs::write(&part, &head)?;

    let (mut rival, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ran = timed(Command::new("pt-query-digest").args(["--type", rival_type]).arg(&part));
        rival.push(ran.context("pt-query-digest: `apt-get install percona-toolkit` gets it")?);
        ours.push(capture(&part, directory)?.0);
    }
    let (rival, ours) = (median(rival), median(ours));
    let (whole, memory) = capture(&log, directory)?;
    let speed = |bytes: u64, seconds: f64| bytes as f64 / f64::from(1 << 20) / seconds;
    let bytes = head.len() as u64;
    println!("{kind} log");
    println!("  pt-query-digest: {:.1} MB/s ({PART} MB in {rival:.1} s)", speed(bytes, rival));
    println!("  rehearse capture: {:.1} MB/s of the same, {:.1} times as fast", speed(bytes, ours), rival / ours);
    println!(
        "  rehearse capture: {:.1} MB/s of {size} MB in {whole:.1} s, {memory} MB of memory at most",
        speed(fs::metadata(&log)?.len(), whole)
    );
    ensure!(rival / ours >= TIMES, "less than {TIMES} times as fast as pt-query-digest");
    ensure!(memory <= FLAT, "memory is not flat: {memory} MB");
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Reads the log with the program itself: seconds, and MB of memory at most.
fn capture(log: &Path, directory: &Path) -> Result<(f64, u64)> {
    let out = directory.join("capture.sql");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
    command.args(["--quiet", "capture", "-o"]).arg(&out).arg("--from").arg(log).stdout(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().context("cannot start rehearse")?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        memory = memory.max(peak.unwrap_or(0) / 1024);
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    ensure!(ended.success(), "rehearse capture ended with {ended}");
    Ok((begun.elapsed().as_secs_f64(), memory))
}

fn timed(command: &mut Command) -> Result<f64> {
    let begun = Instant::now();
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(ended.success(), "it ended with {ended}");
    Ok(begun.elapsed().as_secs_f64())
}

/// Appends the entry with this number.
type Entry = fn(u64, &mut String) -> std::fmt::Result;

/// A log of about this many MB.
fn make(path: &Path, megabytes: u64, write: Entry) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(b"/usr/sbin/mysqld, Version: 9.7.4. started with:\nTcp port: 0  Unix socket: /tmp/s\nTime                 Id Command    Argument\n")?;
    let (mut size, mut n, mut entry) = (0, 0u64, String::new());
    while size < megabytes << 20 {
        n += 1;
        entry.clear();
        write(n, &mut entry)?;
        out.write_all(entry.as_bytes())?;
        size += entry.len() as u64;
    }
    out.flush()?;
    Ok(())
}

fn time(n: u64) -> String {
    let micros = n * 137;
    let (hour, minute, second) = (micros / 3_600_000_000 % 24, micros / 60_000_000 % 60, micros / 1_000_000 % 60);
    format!("2026-11-21T{hour:02}:{minute:02}:{second:02}.{:06}Z", micros % 1_000_000)
}

/// Updates of single rows, inserts of two lines, reads, schema checks.
fn statement(n: u64, out: &mut String) -> std::fmt::Result {
    match n % 10 {
        0..=5 => write!(out, "UPDATE posts SET slug = 'post-{n}-some-title', updated = NOW() WHERE id = {n}"),
        6 | 7 => write!(
            out,
            "INSERT INTO log (what, at, detail) VALUES ('{n}', {}, 'a detail of {n}\nwith two lines')",
            n * 3
        ),
        8 => write!(out, "SELECT id, title FROM posts WHERE author = {n} ORDER BY id LIMIT 20"),
        _ => write!(out, "SHOW FULL COLUMNS FROM `posts`"),
    }
}

/// Four sessions; the inserts are prepared ones.
fn general(n: u64, out: &mut String) -> std::fmt::Result {
    let command = if matches!(n % 10, 6 | 7) { "Execute" } else { "Query" };
    write!(out, "{}\t{:5} {command}\t", time(n), 8 + n % 4)?;
    statement(n, out)?;
    out.push('\n');
    Ok(())
}

/// The same, as a slow log with `long_query_time = 0` has it.
fn slow(n: u64, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        "# Time: {}\n# User@Host: app[app] @ localhost []  Id: {:5}\n# Query_time: 0.{:06}  Lock_time: 0.000001 Rows_sent: 0  \
         Rows_examined: {}\nSET timestamp={};\n",
        time(n),
        8 + n % 4,
        n % 9_000,
        n % 3,
        1_795_219_200 + n * 137 / 1_000_000
    )?;
    statement(n, out)?;
    out.push_str(";\n");
    Ok(())
}
