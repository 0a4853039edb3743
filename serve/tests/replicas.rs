//! Two servers behind haproxy with the configuration in `deploy`, under load: one is stopped and started again,
//! the other is killed.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use tests::load::{self, Answer, Server};
use tests::small_model::{self, ENCODER_FILE};

const CLIENTS: usize = 8;

/// A process that ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn replica(model: &Path, port: &str) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.args(["--port", port, "--cache", "0", "--log", "warn", "--drain-time", "4"]);
    command.arg("--model").arg(model).arg("--encoder").arg(model.join(ENCODER_FILE));
    Server::start(&mut command)
}

/// haproxy with the configuration of `deploy/haproxy.cfg`, on other ports.
fn balancer(haproxy: &Path, folder: &Path, front: &str, replicas: [&str; 2]) -> Process {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/haproxy.cfg");
    let mut config = fs::read_to_string(config).unwrap();
    for (documented, port) in [("5000", front), ("5001", replicas[0]), ("5002", replicas[1])] {
        let [documented, port] = [documented, port].map(|port| format!("127.0.0.1:{port}"));
        assert!(config.contains(&documented));
        config = config.replace(&documented, &port);
    }
    let path = folder.join("haproxy.cfg");
    fs::write(&path, config).unwrap();
    let process = Process(Command::new(haproxy).arg("-db").arg("-f").arg(path).spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(20);
    while ureq::get(format!("http://127.0.0.1:{front}/ready")).call().is_err() {
        assert!(Instant::now() < end, "haproxy has no server that is ready");
        sleep(Duration::from_millis(100));
    }
    process
}

/// Sends photos for `time`, with `work` during it; returns the number of answers, and those without a caption.
fn under_load(address: &str, time: Duration, work: impl FnOnce() + Send) -> (usize, Vec<Answer>) {
    let photo = |blue| {
        let image = image::RgbImage::from_pixel(64, 48, image::Rgb([200, 90, blue]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let bodies = (0..50).map(photo).collect::<Vec<_>>();
    let answers = thread::scope(|scope| {
        let load = scope.spawn(|| load::closed(address, &bodies, CLIENTS, time));
        sleep(Duration::from_secs(1));
        work();
        load.join().unwrap()
    });
    let all = answers.len();
    (all, answers.into_iter().filter(|answer| answer.status != Some(200)).collect())
}

#[test]
fn a_restart_loses_no_request_and_a_kill_only_those_in_flight() {
    let Some(haproxy) = tests::haproxy() else { return };
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let [front, one, two] = [(); 3].map(|()| free_port());
    let first = replica(folder.path(), &one);
    let second = replica(folder.path(), &two);
    let _balancer = balancer(&haproxy, folder.path(), &front, [&one, &two]);
    let address = format!("http://127.0.0.1:{front}/api/caption");

    let mut first = Some(first);
    let (all, failed) = under_load(&address, Duration::from_secs(12), || {
        assert!(first.take().unwrap().stop(), "the server ended with an error");
        first = Some(replica(folder.path(), &one));
    });
    println!("one replica restarted: {} of {all} requests failed", failed.len());
    assert!(failed.is_empty() && all > 100, "{:?}", failed.first());

    // The first one is ready again before the second one is killed.
    sleep(Duration::from_secs(3));
    let (all, failed) = under_load(&address, Duration::from_secs(6), || drop(second));
    println!("one replica killed: {} of {all} requests failed", failed.len());
    assert!(
        failed.len() <= CLIENTS && all > 100,
        "{} of {all}: {:?}",
        failed.len(),
        failed.first()
    );
}
