//! One photo through the interfaces of other servers, divided by `/api/caption`. Uses real photos (see CONTRIBUTING.md) and the
//! bundled model, or the trained one that `SHOWTELL_TEST_MODEL` names, with its encoder at `SHOWTELL_TEST_ENCODER` if it is
//! elsewhere. One client.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::figures::{Figure, Goal, RATIO};
use tests::load::{self, Server};

const PHOTOS: usize = 60;
const ROUNDS: usize = 5;

/// A body about a photo.
type Body = fn(&[u8]) -> Vec<u8>;

/// The interfaces: address and body.
const INTERFACES: [(&str, Body); 5] = [
    ("api/generate", |photo| {
        bytes(&json!({ "prompt": "?", "images": [STANDARD.encode(photo)], "stream": false }))
    }),
    ("api/chat", |photo| bytes(&json!({ "messages": [{ "images": [STANDARD.encode(photo)] }] }))),
    ("v1/chat/completions", |photo| {
        let url = format!("data:image/jpeg;base64,{}", STANDARD.encode(photo));
        let part = json!({ "type": "image_url", "image_url": { "url": url } });
        bytes(&json!({ "messages": [{ "content": [part] }] }))
    }),
    ("hf/image-to-text", <[u8]>::to_vec),
    ("api/v1/vision/caption", |photo| bytes(&json!({ "images": [STANDARD.encode(photo)] }))),
];

fn main() {
    let Some(folder) = tests::shared("photos") else { return };
    let Some((model, encoder)) = tests::captioner() else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.args(["--port", "0", "--log", "warn", "--cache", "0", "--model"]).arg(model);
    if let Some(encoder) = encoder {
        command.arg("--encoder").arg(encoder);
    }
    let server = Server::start(&mut command);
    let photos = tests::files_in(&folder).into_iter().take(PHOTOS);
    let photos = photos.map(|photo| std::fs::read(photo).unwrap()).collect::<Vec<_>>();
    let own = load::once(&server.address, &photos[0]).text;
    println!("a default answer: {} bytes", own.len());
    for (path, body) in INTERFACES {
        let address = server.address.replace("api/caption", path);
        let ratios = (0..ROUNDS).map(|_| ratio(&server.address, &address, body, &photos));
        let ratios = ratios.collect::<Vec<_>>();
        Figure::from_rounds(format!("{path} ÷ api/caption"), RATIO, &ratios)
            .with_goal(Goal::AtMost(1.05))
            .report();
    }
}

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// The median time of a photo through an interface, divided by that through our own; each photo goes through both in turn.
fn ratio(own: &str, other: &str, body: Body, photos: &[Vec<u8>]) -> f64 {
    let (mut plain, mut others) = (Vec::new(), Vec::new());
    for photo in photos {
        let encoded = body(photo);
        let [one, two] = [load::once(own, photo), load::once(other, &encoded)];
        assert_eq!([one.status, two.status], [Some(200); 2], "{}", two.text);
        plain.push(one.took.as_secs_f64());
        others.push(two.took.as_secs_f64());
    }
    tests::median(&others) / tests::median(&plain)
}
