//! The process `serve`: its options, its log, its output.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tests::small_model;

/// A running `serve`, which is killed on drop.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
    _model: tempfile::TempDir,
}

impl Process {
    pub(crate) fn start(flags: &[&str], log: impl Into<Stdio>) -> Self {
        let model = tempfile::tempdir().unwrap();
        small_model::write(model.path());
        let mut command = serve();
        command.args(["--port", "0", "--model"]).arg(model.path()).args(flags);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned(), _model: model }
    }

    fn get(&self, path: &str) {
        let _ = ureq::get(format!("{}{path}", self.address)).header("x-request-id", "mine").call();
    }

    /// Stops it; returns whether the exit status was 0.
    fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }

    /// The log until its end.
    fn log(mut self) -> String {
        assert!(self.stop());
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server of this build, or the one that `SHOWTELL_TEST_SERVE` names, such as that of an installed package.
pub(crate) fn serve() -> Command {
    let program = std::env::var_os("SHOWTELL_TEST_SERVE");
    let mut command = Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_serve").into()));
    command.env_remove("NO_COLOR");
    command
}

#[test]
fn options_without_effect_are_refused_with_the_right_form() {
    for (flag, value, advice) in [
        ("--cors-origin", "example.org", "https://example.org"),
        ("--cors-origin", "https://a.example,https://example.org/", "https://example.org:"),
        ("--cors-origin", "https://example.org:443", "https://example.org:"),
        ("--cors-origin", "null", "*"),
        ("--log", "nonsense", "nonsense=debug"),
        ("--log", "serve=loud", "TARGET=LEVEL"),
        ("--write-time", "0", "above 0"),
    ] {
        let output = serve().arg(format!("{flag}={value}")).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag} {value}: {error}");
        assert!(error.contains(flag) && error.contains(advice), "{error}");
    }
}

#[test]
fn an_open_address_without_a_key_is_a_warning() {
    let warning = |flags: &[&str]| {
        let log = Process::start(flags, Stdio::piped()).log();
        log.lines()
            .filter(|line| line.contains("no API key"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let open = warning(&["--host", "0.0.0.0"]);
    let [line] = &open[..] else { panic!("{open:?}") };
    assert!(line.contains("WARN") && line.contains("--api-key"), "{line}");
    assert_eq!(warning(&["--host", "0.0.0.0", "--api-key", "secret"]), [""; 0]);
    assert_eq!(warning(&[]), [""; 0]);
}

#[test]
fn each_request_is_one_line_of_json_and_probes_are_not_logged() {
    let server = Process::start(&["--log-format", "json"], Stdio::piped());
    for path in ["health", "ready", "metrics", "api/openapi.json", "nothing"] {
        server.get(path);
    }
    let log = server.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.filter(|line| line["message"] == "answered").collect::<Vec<_>>();
    let routes = lines.iter().map(|line| (&line["span"]["route"], &line["status"]));
    let expected = [("/api/openapi.json".into(), 200.into()), ("none".into(), 404.into())];
    assert_eq!(
        routes.collect::<Vec<_>>(),
        expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
    for line in &lines {
        assert!(line["latency_ms"].is_f64() && line["bytes"].as_u64().unwrap() > 0, "{line}");
        assert_eq!((&line["level"], &line["span"]["id"]), (&"INFO".into(), &"mine".into()));
        assert!(line["spans"].is_null(), "{line}");
    }
}

#[test]
fn a_log_in_a_file_has_no_colours_and_targets_have_levels() {
    let server = Process::start(&["--log", "warn,showtell=debug"], Stdio::piped());
    server.get("health");
    let log = server.log();
    assert!(!log.contains('\u{1b}'), "{log}");
    assert!(log.contains("route=\"/health\"") && log.contains("DEBUG"), "{log}");
}

#[test]
fn requests_are_answered_without_a_writable_log() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    for log in [Stdio::from(full), Stdio::from(closed)] {
        let mut server = Process::start(&["--log", "debug"], log);
        server.get("nothing");
        assert_eq!(ureq::get(format!("{}health", server.address)).call().unwrap().status(), 200);
        assert!(server.stop());
    }
}

/// The output is only the address.
#[test]
fn the_server_runs_with_a_closed_output() {
    let model = tempfile::tempdir().unwrap();
    small_model::write(model.path());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    for output in [Stdio::from(full), Stdio::from(closed)] {
        let mut command = serve();
        command.args(["--port", "0", "--model"]).arg(model.path());
        let mut child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("listening at ").map(|(_, address)| address.to_owned())
        });
        let health = ureq::get(format!("{}health", address.unwrap())).call().unwrap();
        assert_eq!(health.status(), 200);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
