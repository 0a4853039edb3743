//! The `OpenAPI` document agrees with the API.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::{app, ask, form, get, json as body_of, photo, raw};

async fn document() -> Value {
    body_of(ask(&app(), get("/api/openapi.json")).await).await
}

/// Checks a value against a schema of the document.
fn is_a(document: &Value, schema: &str, value: &Value) {
    let mut rules = document.clone();
    rules["$ref"] = json!(format!("#/components/schemas/{schema}"));
    let validator = jsonschema::validator_for(&rules).unwrap();
    let wrong = validator.iter_errors(value).map(|error| error.to_string()).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{schema}: {wrong:?} in {value}");
}

#[tokio::test]
async fn the_document_lists_all_addresses_and_their_methods() {
    let (document, app) = (document().await, app());
    let listed = document["paths"].as_object().unwrap();
    let paths = listed.keys().map(String::as_str).collect::<BTreeSet<_>>();
    assert_eq!(paths, serve::paths().collect());
    for (path, methods) in listed {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let request = Request::builder().method(&method).uri(path).body(Body::empty()).unwrap();
            let status = ask(&app, request).await.status().as_u16();
            let described = &methods[method.as_str().to_lowercase()];
            assert_eq!(described.is_null(), status == 405, "{method} {path} answers {status}");
            if !described.is_null() {
                let statuses = described["responses"].as_object().unwrap();
                assert!(statuses.contains_key(&status.to_string()), "{method} {path}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn responses_match_the_document() {
    let (document, app) = (document().await, app());
    is_a(&document, "Captioned", &body_of(ask(&app, raw(photo())).await).await);
    is_a(&document, "Refused", &body_of(ask(&app, raw(b"text".to_vec())).await).await);
    let several = form("/api/captions", &[("image", &photo()), ("image", b"text")]);
    is_a(&document, "Several", &body_of(ask(&app, several).await).await);
}

#[tokio::test]
#[should_panic(expected = "Captioned")]
async fn other_responses_do_not_match() {
    is_a(&document().await, "Captioned", &json!({ "caption": "a dog" }));
}
