//! The page in a real browser: Debian's Chromium, controlled by `WebDriver`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tests::small_model;
use tokio::time::sleep;

/// `serve` with a small model, or with the one that `SHOWTELL_TEST_MODEL` names.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
    folder: tempfile::TempDir,
}

/// A browser window.
pub(crate) struct Browser {
    pub(crate) client: Client,
    process: Child,
}

/// The settings of a window.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) javascript: bool,
}

/// The window of a desktop.
pub(crate) const DESKTOP: Window =
    Window { width: 1280, height: 900, dark: false, javascript: true };

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let small = || {
            let model = folder.path().join("small");
            fs::create_dir(&model).unwrap();
            small_model::write(&model);
            model
        };
        let model = std::env::var_os("SHOWTELL_TEST_MODEL").map_or_else(small, PathBuf::from);
        let mut process = Command::new(env!("CARGO_BIN_EXE_serve"))
            .args(["--port", "0", "--log", "warn", "--model"])
            .arg(&model)
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let address = first_line(&mut process);
        Self { process, address, folder }
    }

    /// A file with these bytes, for the page to send.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn first_line(process: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

impl Browser {
    /// Opens a window; `None` if Chromium or its driver is missing.
    pub(crate) async fn open(window: Window) -> Option<Self> {
        let [chromium, driver] = tests::browser()?;
        let mut process =
            Command::new(driver).arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let port = driver_port(&mut process);
        let capabilities = capabilities(&chromium, window);
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let browser = Self { client, process };
        // The window's inner size, which --window-size does not set without a screen.
        let metrics = json!({ "width": window.width, "height": window.height, "deviceScaleFactor": 1, "mobile": false });
        browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if window.dark { "dark" } else { "light" };
        // Without motion the overlay is at its position at once.
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        Some(browser)
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let command = Devtools(json!({ "cmd": command, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap();
    }

    /// Sets the folder of downloads.
    pub(crate) async fn download_to(&self, folder: &Path) {
        let parameters = json!({ "behavior": "allow", "downloadPath": folder });
        self.devtools("Browser.setDownloadBehavior", parameters).await;
    }

    /// Waits for an element; returns its text.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let waiting = self.client.wait().at_most(Duration::from_secs(20));
        waiting.for_element(Locator::Css(selector)).await.unwrap().text().await.unwrap()
    }

    /// Chooses a file in the form of the page.
    pub(crate) async fn choose(&self, path: &str) {
        let input = self.client.find(Locator::Css("#image")).await.unwrap();
        input.send_keys(path).await.unwrap();
    }

    /// Clicks the first element of a selector.
    pub(crate) async fn click(&self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// The number of elements of a selector.
    pub(crate) async fn count(&self, selector: &str) -> u64 {
        let elements = self.client.find_all(Locator::Css(selector)).await.unwrap();
        elements.len() as u64
    }

    /// Whether the focused element matches a selector.
    pub(crate) async fn is_active(&self, selector: &str) -> bool {
        let script = "return document.activeElement.matches(arguments[0])";
        self.client.execute(script, vec![selector.into()]).await.unwrap() == Value::Bool(true)
    }

    /// Types text into the focused element.
    pub(crate) async fn type_text(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    /// Waits until the text of an element begins with `start`.
    pub(crate) async fn until_text(&self, selector: &str, start: &str) {
        let mut found = Value::Null;
        for _ in 0..300 {
            let script = "return document.querySelector(arguments[0])?.textContent";
            found = self.client.execute(script, vec![selector.into()]).await.unwrap();
            if found.as_str().is_some_and(|text| text.starts_with(start)) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("{selector} is {found}, not {start}");
    }

    /// Runs JavaScript; returns its result.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits ten seconds until JavaScript returns true.
    pub(crate) async fn until(&self, script: &str) {
        self.until_within(10, script).await;
    }

    /// Waits some seconds until JavaScript returns true.
    pub(crate) async fn until_within(&self, seconds: u32, script: &str) {
        for _ in 0..10 * seconds {
            if self.run(script).await == Value::Bool(true) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("never true: {script}");
    }

    /// Presses a key on the focused element.
    pub(crate) async fn press(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Saves a picture of the whole page in the folder `SHOWTELL_SCREENSHOTS`, if it is set.
    pub(crate) async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("SHOWTELL_SCREENSHOTS") {
            let picture = self.client.screenshot().await.unwrap();
            fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
        }
    }

    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn driver_port(process: &mut Child) -> u16 {
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let started = lines.find_map(|line| {
        let line = line.unwrap();
        line.split_once("started successfully on port ").map(|(_, port)| port.to_owned())
    });
    // The rest of the output has to be read.
    std::thread::spawn(move || lines.for_each(drop));
    started.unwrap().trim_end_matches('.').parse().unwrap()
}

fn capabilities(chromium: &Path, window: Window) -> Capabilities {
    let size = format!("--window-size={},{}", window.width, window.height);
    // Chromium's sandbox does not work for root.
    let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", &size];
    let javascript = if window.javascript { 1 } else { 2 };
    let options = json!({
        "binary": chromium,
        "args": arguments,
        "prefs": {
            "profile.managed_default_content_settings.javascript": javascript,
            "intl.accept_languages": "en",
        },
    });
    Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)])
}

/// A command of Chromium's developer tools.
#[derive(Debug)]
struct Devtools(Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}
