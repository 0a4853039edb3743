//! The whole pipeline on real parts: extraction of photos with ResNet50, training on the store, captions, and the server on
//! a real socket.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::print_stderr, reason = "a test prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod cluster;
mod completions;
mod gpu_check;
mod help;
mod links;
mod makefile;
mod messages;
mod programs;
mod python_package;
mod scenes;
mod shipped;
mod sittings;
mod tables;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use programs::{captions_of, program, run};
use serde_json::Value;
use tempfile::TempDir;

const TRAINING: usize = 48;
const PHOTOS: usize = 64;
/// The checker of the format's own authors.
const CHECK: &str =
    "import onnx, sys\nfor path in sys.argv[1:]: onnx.checker.check_model(path, full_check=True)";

/// 64 photos with captions and split lists, one absent image with a caption, one truncated photo.
fn data_set(flickr8k: &Path, data: &Path) -> Vec<String> {
    let images = data.join("Images");
    fs::create_dir_all(&images).unwrap();
    let list = fs::read_to_string(flickr8k.join("Flickr_8k.trainImages.txt")).unwrap();
    let names = list.lines().map(str::to_owned).take(PHOTOS).collect::<Vec<_>>();
    for name in &names {
        fs::copy(flickr8k.join("Images").join(name), images.join(name)).unwrap();
    }
    let captions = fs::read_to_string(flickr8k.join("captions.txt")).unwrap();
    let kept = captions.lines().enumerate().filter(|(line, text)| {
        *line == 0 || names.iter().any(|name| text.starts_with(name.as_str()))
    });
    let mut kept = kept.map(|(_, text)| text).collect::<Vec<_>>().join("\n");
    kept.push_str("\nabsent.jpg,A dog that nobody photographed .\n");
    fs::write(data.join("captions.txt"), kept).unwrap();
    fs::write(
        data.join("Flickr_8k.trainImages.txt"),
        names[..TRAINING].join("\n") + "\nabsent.jpg\n",
    )
    .unwrap();
    fs::write(data.join("Flickr_8k.devImages.txt"), names[TRAINING..].join("\n")).unwrap();
    let photo = fs::read(images.join(&names[0])).unwrap();
    fs::write(images.join("truncated.jpg"), &photo[..photo.len() / 2]).unwrap();
    names
}

/// The server, which is killed on drop.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().to_owned();
        assert!(address.starts_with("http://127.0.0.1:"), "the server printed `{address}`");
        Self { process, address }
    }

    fn caption(&self, photo: &Path) -> Value {
        let url = format!("{}api/caption", self.address);
        let mut answer = ureq::post(url).send(&fs::read(photo).unwrap()[..]).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder of a test with a data set in it.
struct Workplace {
    folder: TempDir,
    encoder: PathBuf,
    names: Vec<String>,
}

impl Workplace {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn extract(&self) -> (String, String) {
        let mut command = program("extract");
        command.arg("--images").arg(self.path("data/Images"));
        command.arg("--captions").arg(self.path("data/captions.txt"));
        command.arg("--store").arg(self.path("store.h5")).arg("--encoder").arg(&self.encoder);
        run(&mut command)
    }

    fn fit(&self, name: &str, epochs: &str) -> String {
        let mut command = program("train");
        command.arg("fit").arg("--captions").arg(self.path("data/captions.txt"));
        command.arg("--store").arg(self.path("store.h5")).arg("--run").arg(self.path(name));
        command.args(["--epochs", epochs, "--min-count", "2", "--learning-rate", "0.002"]);
        // Steps for a few photos.
        command.args(["--batch", "8", "--warm-up", "200", "--averaging", "0.9995"]);
        run(&mut command).1
    }

    fn evaluate(&self, name: &str) -> (Value, Value) {
        let mut command = program("train");
        command.arg("evaluate").arg("--run").arg(self.path(name)).args(["--json", "-"]);
        let scores = serde_json::from_str(&run(&mut command).0).unwrap();
        let captions = fs::read_to_string(self.path(name).join("captions-dev.json")).unwrap();
        (scores, serde_json::from_str(&captions).unwrap())
    }

    fn serve(&self, name: &str, flags: &[&str]) -> Server {
        let mut command = program("serve");
        command.args(["--port", "0"]).args(flags).arg("--model").arg(self.path(name));
        Server::start(command.arg("--encoder").arg(&self.encoder))
    }

    fn quantized_encoder(&self) -> PathBuf {
        let out = self.path("int8.onnx");
        let mut command = program("encoder");
        command.arg("quantize").arg(&self.encoder).args(["--count", "16", "--out"]).arg(&out);
        command.arg("--images").arg(self.path("data/Images"));
        run(command.arg("--captions").arg(self.path("data/captions.txt")));
        out
    }

    fn dev_photos(&self) -> Vec<PathBuf> {
        let names = self.names[TRAINING..].iter();
        names.map(|name| self.path("data/Images").join(name)).collect()
    }

    fn losses(&self, name: &str) -> Vec<f64> {
        let metrics = fs::read_to_string(self.path(name).join("metrics.jsonl")).unwrap();
        let loss = |line| serde_json::from_str::<Value>(line).unwrap()["cross_entropy"].as_f64();
        metrics.lines().map(|line| loss(line).unwrap()).collect()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one scenario, step by step")]
fn photos_become_a_captioner_that_answers_over_http() {
    let (Some(flickr8k), Some(encoder)) =
        (tests::shared("flickr8k"), tests::shared("models/resnet50-v1.onnx"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let names = data_set(&flickr8k, &folder.path().join("data"));
    let workplace = Workplace { folder, encoder, names };

    let (stdout, stderr) = workplace.extract();
    assert!(stdout.contains("64 images in") && stdout.contains("1 skipped"), "{stdout}");
    assert!(stderr.contains("7×7 cells of 2048") && stderr.contains("truncated.jpg"), "{stderr}");
    assert!(stderr.contains("1 captioned images are not among the images"), "{stderr}");
    fs::remove_file(workplace.path("data/Images/truncated.jpg")).unwrap();
    assert!(workplace.extract().0.contains("nothing to do"));

    let stderr = workplace.fit("run", "4");
    assert!(stderr.contains("48 training and 16 dev images (split by official lists)"), "{stderr}");
    assert!(stderr.contains("1 captioned images have no grid"), "{stderr}");
    let losses = workplace.losses("run");
    assert!(losses.len() == 4 && losses[3] < 0.9 * losses[0], "{losses:?}");
    let stderr = workplace.fit("second", "1");
    assert!(stderr.contains("64 grids of") && stderr.contains("no image is encoded"), "{stderr}");
    let (scores, captions) = workplace.evaluate("run");
    assert_eq!(scores["images"], 16);
    assert!(scores["BLEU-1"].as_f64().unwrap() > 0.1, "{scores}");

    // Captions of ONNX Runtime from pixels equal those of libtorch from the stored grids.
    // The store rounds grids to 16 bits, which may tip a close call.
    let server = workplace.serve("run", &["--exact"]);
    let photos = workplace.dev_photos();
    let same = photos
        .iter()
        .zip(&workplace.names[TRAINING..])
        .filter(|(photo, name)| server.caption(photo)["caption"] == captions[name.as_str()]);
    let same = same.count();
    assert!(same >= 14, "only {same} of 16 captions are the same");

    // The command, the server and Python agree on the same pixels; JPEG decoders differ. The command captions several photos at
    // once, and the number of rows of a product may tip a close call of a network that learned so little.
    let server = workplace.serve("run", &[]);
    let [model, photos] = ["run", "pixels"].map(|name| workplace.path(name));
    fs::create_dir(&photos).unwrap();
    let pixels = workplace.dev_photos().into_iter().enumerate().map(|(at, photo)| {
        let pixels = photos.join(format!("{at:02}.png"));
        image::open(photo).unwrap().save(&pixels).unwrap();
        pixels
    });
    let pixels = pixels.collect::<Vec<_>>();
    let in_command = |encoder: &Path, flags: &[&str]| {
        let mut command = program("caption");
        command.arg("--model").arg(&model).arg("--encoder").arg(encoder).args(flags);
        captions_of(command.arg(&photos))
    };
    let found = in_command(&workplace.encoder, &[]);
    let caption = |photo: &PathBuf| server.caption(photo)["caption"].as_str().unwrap().to_owned();
    let same = same_number(&found, &pixels.iter().map(caption).collect::<Vec<_>>());
    assert!(same >= 15, "only {same} of 16 captions are the same in the server");

    // An int8 encoder gives similar captions.
    let int8 = workplace.quantized_encoder();
    let same = same_number(&found, &in_command(&int8, &[]));
    assert!(same >= 8, "only {same} of 16 captions are the same in int8");
    let exact = in_command(&workplace.encoder, &["--exact"]);
    let same = same_number(&found, &exact);
    assert!(same >= 12, "only {same} of 16 captions are those of exact products");

    let Some(python) = tests::python() else { return };
    let mut command = Command::new(&python);
    command.args(["-c", CHECK]).arg(&int8);
    run(command.args(["decoder-init.onnx", "decoder-step.onnx"].map(|file| model.join(file))));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/caption.py");
    let mut command = Command::new(&python);
    command.arg(script).arg(&model).arg(&workplace.encoder).args(&pixels);
    let same = same_number(&exact, &captions_of(&mut command));
    assert!(same >= 15, "only {same} of 16 captions are the same in Python");
}

/// The number of captions that are the same.
fn same_number(one: &[String], other: &[String]) -> usize {
    one.iter().zip(other).filter(|(one, other)| one == other).count()
}

/// `serve` must run without libtorch and HDF5.
#[test]
fn the_server_links_neither_libtorch_nor_hdf5() {
    let output = Command::new("ldd").arg(program("serve").get_program()).output().unwrap();
    let libraries = String::from_utf8(output.stdout).unwrap();
    assert!(libraries.contains("libc.so"), "{libraries}");
    for forbidden in ["libtorch", "libc10", "libhdf5", "libcuda"] {
        assert!(!libraries.contains(forbidden), "{libraries}");
    }
}
