//! The demo without a server program (`web/`): the networks run in the browser, and say what the programs say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::access::serious;
use crate::driver::{Browser, DESKTOP, Window, first_line};

/// A static server of a folder.
struct Static {
    process: Child,
    address: String,
}

impl Static {
    fn start(python: &Path, folder: &Path) -> Self {
        let mut command = Command::new(python);
        command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]);
        command.arg(folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        // Serving HTTP on 127.0.0.1 port N (http://127.0.0.1:N/) ...
        let line = first_line(&mut process);
        let address = line.split(['(', ')']).nth(1).unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for Static {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Lays the demo out in a folder; `None` if a part of it is missing.
fn lay_out(folder: &Path) -> Option<()> {
    if !tests::native().join("efficientnet-lite2").exists() {
        tests::skip("no encoder (`make setup PART=encoder` fetches its weights)");
        return None;
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_serve")).parent().unwrap();
    let mut command = Command::new(repository().join("tools/web-demo.sh"));
    let output = command.arg(programs).arg(folder).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    if message.contains("npm is missing") {
        tests::skip(&message);
        return None;
    }
    assert!(output.status.success(), "{message}");
    Some(())
}

/// The caption and the state of a photo that is chosen as the page's first, second or later one.
async fn choose(browser: &Browser, number: usize, photo: &Path) -> (String, String) {
    let input = browser.client.find(fantoccini::Locator::Css("#photos")).await.unwrap();
    input.send_keys(photo.to_str().unwrap()).await.unwrap();
    let settled = "return document.querySelectorAll('.result[aria-busy=false]').length";
    browser.until_within(120, &format!("{settled} === {number}")).await;
    let script = "const card = document.querySelector('.result:last-child'); \
                  return ['.caption', '.state'].map((part) => card.querySelector(part).textContent)";
    serde_json::from_value(browser.run(script).await).unwrap()
}

/// The sample photos as PNG files, whose pixels every decoder reads alike, and the captions of the programs.
fn samples(folder: &Path) -> Vec<(PathBuf, String)> {
    let samples = repository().join("serve/src/page/samples");
    let table = fs::read_to_string(samples.join("README.md")).unwrap();
    let rows = table.lines().filter_map(|line| {
        let (name, caption) =
            line.strip_prefix("| `")?.strip_suffix(" |")?.split_once(".jpg` | ")?;
        (!caption.contains('|')).then_some((name, caption))
    });
    let as_png = rows.map(|(name, caption)| {
        let bytes = fs::read(samples.join(format!("{name}.jpg"))).unwrap();
        let path = folder.join(format!("{name}.png"));
        models::decode(&bytes, &models::Limits::default()).unwrap().save(&path).unwrap();
        (path, caption.to_owned())
    });
    as_png.collect()
}

#[tokio::test]
async fn the_demo_says_what_the_programs_say() {
    let (Some(python), Some(axe)) = (tests::python(), tests::axe()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    if lay_out(&site).is_none() {
        return;
    }
    let window = Window { width: 390, ..DESKTOP };
    let Some(browser) = Browser::open(window).await else { return };
    let server = Static::start(&python, &site);
    let samples = samples(folder.path());
    assert_eq!(samples.len(), 5);
    browser.client.goto(&server.address).await.unwrap();
    for (path, _) in &samples {
        let input = browser.client.find(fantoccini::Locator::Css("#photos")).await.unwrap();
        input.send_keys(path.to_str().unwrap()).await.unwrap();
    }
    let done = "return document.querySelectorAll('.result[aria-busy=false]').length === 5";
    browser.until_within(120, done).await;
    let script = "return [...document.querySelectorAll('.result')].map((card) => \
                  [card.querySelector('.file').textContent, card.querySelector('.caption').textContent])";
    let found = serde_json::from_value::<Vec<(String, String)>>(browser.run(script).await).unwrap();
    for (path, caption) in samples {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(found.contains(&(name, caption)), "{}: {found:?}", path.display());
    }
    let width = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(width).await, Value::Bool(true));
    let axe = fs::read_to_string(axe).unwrap();
    assert_eq!(serious(&browser, &axe).await, json!([]));
    let licence = browser.text("#data-licence").await;
    assert!(licence.contains("Flickr8k"), "{licence}");
    browser.picture("demo").await;
    browser.close().await;
}

#[tokio::test]
async fn a_photo_after_a_repaired_load_is_captioned() {
    let Some(python) = tests::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    if lay_out(&site).is_none() {
        return;
    }
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let server = Static::start(&python, &site);
    browser.client.goto(&server.address).await.unwrap();
    let (photo, caption) = samples(folder.path()).swap_remove(0);
    let encoder = site.join("models/efficientnet-lite2.onnx");
    let aside = folder.path().join("aside.onnx");
    fs::rename(&encoder, &aside).unwrap();
    let (_, problem) = choose(&browser, 1, &photo).await;
    assert!(problem.contains("efficientnet-lite2.onnx: the server answered 404"), "{problem}");
    fs::rename(&aside, &encoder).unwrap();
    assert_eq!(choose(&browser, 2, &photo).await.0, caption);
    // More columns than a canvas of Chromium has.
    let wide = folder.path().join("wide.png");
    fs::write(&wide, crate::drawn(70_000, 20, image::ImageFormat::Png)).unwrap();
    let (_, problem) = choose(&browser, 3, &wide).await;
    assert!(problem.starts_with("70000 × 20 pixels are too many"), "{problem}");
    browser.close().await;
}

#[test]
fn the_layout_replaces_no_other_folder() {
    let folder = tempfile::tempdir().unwrap();
    // Any program: the folder is refused before it runs.
    let program = folder.path().join("convert");
    fs::copy("/bin/sh", &program).unwrap();
    let mut command = Command::new(repository().join("tools/web-demo.sh"));
    let output = command.args([folder.path(), folder.path()]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("neither an earlier demo nor an empty folder"), "{message}");
    assert!(!output.status.success() && program.exists());
}
