//! Concurrent clients of a captioning server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;

use crate::memory_mib;

/// A server process, which is killed on drop.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// The address of `POST /api/caption`.
    pub address: String,
}

/// The result of a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The index of the body that was sent.
    pub body: usize,
    /// The HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// The body of the response.
    pub text: String,
    /// The time from when the request was due to the response.
    pub took: Duration,
}

impl Server {
    /// Starts a program that prints its address, such as `http://127.0.0.1:5000/`, as its first line.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the server prints its address");
        Self { process, address: format!("{}api/caption", line.trim()) }
    }

    /// Sends SIGTERM and waits for the end; returns whether the exit status was 0.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    #[must_use]
    pub fn stop(mut self) -> bool {
        let pid = self.process.id().to_string();
        let signal = Command::new("kill").args(["-TERM", &pid]).status().expect("`kill` exists");
        assert!(signal.success(), "the server runs");
        self.process.wait().expect("the server ends").success()
    }

    /// The resident memory in MiB.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn resident_mib(&self) -> f64 {
        memory_mib(self.process.id(), "VmRSS")
    }

    /// The peak of the resident memory in MiB, since the start or since [`forget_peak`](Self::forget_peak).
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn peak_mib(&self) -> f64 {
        memory_mib(self.process.id(), "VmHWM")
    }

    /// Resets the peak.
    ///
    /// # Panics
    /// If it has ended.
    pub fn forget_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.process.id());
        std::fs::write(path, "5").expect("the server runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request.
#[must_use]
pub fn once(address: &str, body: &[u8]) -> Answer {
    ask(&agent(), address, body, 0, Instant::now())
}

/// Closed-loop load: each of `clients` sends the next body as soon as its last request is answered, until `time` is over.
/// Bodies are sent in turn over all clients.
///
/// # Panics
/// If a client panics.
#[must_use]
pub fn closed(address: &str, bodies: &[Vec<u8>], clients: usize, time: Duration) -> Vec<Answer> {
    let (next, end) = (AtomicUsize::new(0), Instant::now() + time);
    let client = || {
        let agent = agent();
        let mut answers = Vec::new();
        while Instant::now() < end {
            let body = next.fetch_add(1, Ordering::Relaxed) % bodies.len();
            answers.push(ask(&agent, address, &bodies[body], body, Instant::now()));
        }
        answers
    };
    together(clients, client)
}

/// Open-loop load: requests at a fixed rate per second, at most `clients` of them at once.
///
/// # Panics
/// If a client panics.
#[must_use]
pub fn steady(
    address: &str,
    bodies: &[Vec<u8>],
    clients: usize,
    rate: f64,
    time: Duration,
) -> Vec<Answer> {
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let client = || {
        let agent = agent();
        let mut answers = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(at as f64 / rate);
            if due > time {
                return answers;
            }
            thread::sleep((start + due).saturating_duration_since(Instant::now()));
            let body = at % bodies.len();
            answers.push(ask(&agent, address, &bodies[body], body, start + due));
        }
    };
    together(clients, client)
}

fn together(clients: usize, client: impl Fn() -> Vec<Answer> + Sync) -> Vec<Answer> {
    thread::scope(|scope| {
        let running = (0..clients).map(|_| scope.spawn(&client)).collect::<Vec<_>>();
        running.into_iter().flat_map(|one| one.join().expect("a client")).collect()
    })
}

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_mins(1))).build().into()
}

fn ask(agent: &Agent, address: &str, bytes: &[u8], body: usize, due: Instant) -> Answer {
    let answer = agent
        .post(address)
        .send(bytes)
        .and_then(|mut answer| Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?)));
    let (status, text) = match answer {
        Ok((status, text)) => (Some(status), text),
        Err(error) => (None, error.to_string()),
    };
    Answer { body, status, text, took: due.elapsed() }
}

/// The quantile of the times at `share`, in ms.
///
/// # Panics
/// Without answers.
#[must_use]
pub fn percentile<'a>(answers: impl Iterator<Item = &'a Answer>, share: f64) -> f64 {
    let mut times = answers.map(|answer| answer.took).collect::<Vec<_>>();
    times.sort();
    let at = ((times.len() as f64 * share) as usize).min(times.len() - 1);
    times[at].as_secs_f64() * 1000.0
}
