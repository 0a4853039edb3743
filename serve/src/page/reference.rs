//! The reference of the API: the `OpenAPI` document as a page.

use std::iter::once;
use std::ptr;

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;
use serde_json::Value;

use super::language::Texts;
use crate::api::OPENAPI;

const TEMPLATE: &str = "reference.html";

/// The methods of the API, in the order of their sections.
const METHODS: [&str; 2] = ["get", "post"];

/// The `OpenAPI` document.
struct Document(Value);

/// The variables of the template.
#[derive(Serialize)]
struct ReferenceView<'a> {
    title: &'a str,
    version: &'a str,
    description: &'a str,
    /// The ways to send the key, with their descriptions.
    access: Vec<(&'a str, &'a str)>,
    operations: Vec<OperationView<'a>>,
    /// The error codes, with their texts.
    errors: Vec<(&'a str, &'a str)>,
    schemas: Vec<SchemaView<'a>>,
}

/// A path and one of its methods.
#[derive(Serialize)]
struct OperationView<'a> {
    anchor: String,
    method: String,
    path: &'a str,
    summary: &'a str,
    description: &'a str,
    /// Whether the operation never requires a key.
    is_open: bool,
    parameters: Vec<FieldView<'a>>,
    body: Vec<ContentView<'a>>,
    responses: Vec<ResponseView<'a>>,
}

/// A parameter, a header, or a field of a JSON document.
#[derive(Serialize)]
struct FieldView<'a> {
    name: String,
    /// The place of a parameter, such as `query`; empty for others.
    place: &'a str,
    kind: Vec<TypePart>,
    is_required: bool,
    default: Option<String>,
    description: &'a str,
}

/// A body of a media type.
#[derive(Serialize)]
struct ContentView<'a> {
    media: &'a str,
    kind: Vec<TypePart>,
    fields: Vec<FieldView<'a>>,
}

/// The statuses that have the same response.
#[derive(Serialize)]
struct ResponseView<'a> {
    statuses: Vec<&'a str>,
    description: &'a str,
    headers: Vec<FieldView<'a>>,
    content: Vec<ContentView<'a>>,
}

/// A named schema.
#[derive(Serialize)]
struct SchemaView<'a> {
    anchor: String,
    name: &'a str,
    kind: Vec<TypePart>,
    description: &'a str,
    fields: Vec<FieldView<'a>>,
}

/// A part of the name of a type, with the anchor of its section if it has one.
#[derive(Serialize)]
struct TypePart {
    text: String,
    anchor: Option<String>,
}

/// Renders the page; `texts` has the texts of the error codes.
pub(super) fn render(templates: &mut Environment<'static>, texts: &Texts) -> Result<String, Error> {
    let document = serde_json::from_str(OPENAPI).map(Document).map_err(|error| {
        Error::new(ErrorKind::SyntaxError, "the OpenAPI document").with_source(error)
    })?;
    templates.add_template(TEMPLATE, include_str!("reference.html"))?;
    templates.get_template(TEMPLATE)?.render(Serde(&document.reference(texts)))
}

impl Document {
    fn reference<'a>(&'a self, texts: &'a Texts) -> ReferenceView<'a> {
        let (info, components) = (&self.0["info"], &self.0["components"]);
        let access = entries(&components["securitySchemes"]);
        let codes = items(&self.codes()["enum"]).filter_map(Value::as_str);
        ReferenceView {
            title: text(&info["title"]),
            version: text(&info["version"]),
            description: text(&info["description"]),
            access: access.map(|(name, scheme)| (name, text(&scheme["description"]))).collect(),
            operations: self.operations(),
            errors: codes.map(|code| (code, texts.error(code))).collect(),
            schemas: entries(&components["schemas"])
                .map(|(name, schema)| self.schema(name, schema))
                .collect(),
        }
    }

    /// The schema of the error codes.
    fn codes(&self) -> &Value {
        let error = &self.0["components"]["schemas"]["Refused"]["properties"]["error"];
        &error["properties"]["code"]
    }

    /// The value itself, or the one that its `$ref` names.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        pointer.and_then(|pointer| self.0.pointer(pointer)).unwrap_or(value)
    }

    /// All operations, in the order of the routes.
    fn operations(&self) -> Vec<OperationView<'_>> {
        let all = crate::paths().flat_map(|path| METHODS.map(|method| (path, method)));
        let described = all.filter_map(|(path, method)| {
            let operation = self.0["paths"][path].get(method)?;
            Some(self.operation(path, method, operation))
        });
        described.collect()
    }

    fn operation<'a>(
        &'a self,
        path: &'a str,
        method: &str,
        operation: &'a Value,
    ) -> OperationView<'a> {
        let words = path.split(|letter: char| !letter.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        let parameters = items(&operation["parameters"]);
        let security = &operation["security"];
        OperationView {
            anchor: once(method).chain(words).collect::<Vec<_>>().join("-"),
            method: method.to_uppercase(),
            path,
            summary: text(&operation["summary"]),
            description: text(&operation["description"]),
            is_open: security.is_array() && items(security).all(|way| entries(way).count() == 0),
            parameters: parameters.map(|one| self.parameter(self.resolve(one))).collect(),
            body: self.content(self.resolve(&operation["requestBody"])),
            responses: self.responses(operation),
        }
    }

    fn parameter<'a>(&'a self, parameter: &'a Value) -> FieldView<'a> {
        FieldView {
            name: text(&parameter["name"]).to_owned(),
            place: text(&parameter["in"]),
            kind: self.type_name(&parameter["schema"]),
            is_required: parameter["required"] == true,
            default: default_of(&parameter["schema"]),
            description: text(&parameter["description"]),
        }
    }

    /// The responses of an operation, by status; equal ones are together.
    fn responses<'a>(&'a self, operation: &'a Value) -> Vec<ResponseView<'a>> {
        let mut groups = Vec::<(&Value, Vec<&str>)>::new();
        for (status, response) in entries(&operation["responses"]) {
            match groups.iter_mut().find(|(other, _)| *other == response) {
                Some((_, statuses)) => statuses.push(status),
                None => groups.push((response, vec![status])),
            }
        }
        let view = |(response, statuses)| {
            let message = self.resolve(response);
            let headers = entries(&message["headers"]);
            ResponseView {
                statuses,
                description: text(&message["description"]),
                headers: headers.map(|(name, header)| self.header(name, header)).collect(),
                content: self.content(message),
            }
        };
        groups.into_iter().map(view).collect()
    }

    fn header<'a>(&'a self, name: &str, header: &'a Value) -> FieldView<'a> {
        FieldView {
            name: name.to_owned(),
            place: "header",
            kind: self.type_name(&header["schema"]),
            is_required: false,
            default: None,
            description: text(&header["description"]),
        }
    }

    /// The bodies of a request or a response.
    fn content<'a>(&'a self, message: &'a Value) -> Vec<ContentView<'a>> {
        let view = |(media, content): (&'a str, &'a Value)| {
            let schema = &content["schema"];
            ContentView { media, kind: self.type_name(schema), fields: self.fields(schema) }
        };
        entries(&message["content"]).map(view).collect()
    }

    fn schema<'a>(&'a self, name: &'a str, schema: &'a Value) -> SchemaView<'a> {
        SchemaView {
            anchor: schema_anchor(name),
            name,
            kind: self.type_name(schema),
            description: text(&schema["description"]),
            fields: self.fields(schema),
        }
    }

    fn fields<'a>(&'a self, schema: &'a Value) -> Vec<FieldView<'a>> {
        let mut fields = Vec::new();
        self.add_fields(schema, "", &mut fields);
        fields
    }

    /// Adds the fields of a schema, and those of the objects in it, whose names are paths: `photos[].name`. Fields that are
    /// required come first.
    fn add_fields<'a>(&'a self, schema: &'a Value, path: &str, fields: &mut Vec<FieldView<'a>>) {
        if schema["items"].is_object() {
            self.add_fields(&schema["items"], &format!("{path}[]"), fields);
            return;
        }
        let required = items(&schema["required"]).filter_map(Value::as_str).collect::<Vec<_>>();
        let names = entries(&schema["properties"]).map(|(name, _)| name);
        let optional = names.filter(|name| !required.contains(name));
        for name in required.iter().copied().chain(optional) {
            let field = &schema["properties"][name];
            let field_path =
                if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            fields.push(FieldView {
                name: field_path.clone(),
                place: "",
                kind: self.type_name(field),
                is_required: required.contains(&name),
                default: default_of(field),
                description: text(&field["description"]),
            });
            self.add_fields(field, &field_path, fields);
        }
    }

    /// The name of a schema's type, such as "array of Caption".
    fn type_name(&self, schema: &Value) -> Vec<TypePart> {
        if let Some(name) = text(&schema["$ref"]).strip_prefix("#/components/schemas/") {
            return vec![TypePart::link(name, schema_anchor(name))];
        }
        if ptr::eq(schema, self.codes()) {
            return vec![TypePart::link("one of the error codes", "error-codes".to_owned())];
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let names = choices.iter().map(|choice| self.type_name(choice)).collect::<Vec<_>>();
            return join(names);
        }
        if let Some(values) = schema["enum"].as_array() {
            return vec![TypePart::plain(
                values.iter().map(plain).collect::<Vec<_>>().join(" or "),
            )];
        }
        if schema["items"].is_object() {
            let mut parts = vec![TypePart::plain("array of ".to_owned())];
            parts.extend(self.type_name(&schema["items"]));
            return parts;
        }
        let format = schema["format"].as_str().map(|format| format!(" ({format})"));
        let kind = text(&schema["type"]);
        let range = bound(schema, "minimum", "from") + &bound(schema, "maximum", "up to");
        let name = format!("{kind}{}{range}", format.unwrap_or_default());
        if name.is_empty() { Vec::new() } else { vec![TypePart::plain(name)] }
    }
}

impl TypePart {
    fn plain(text: String) -> Self {
        Self { text, anchor: None }
    }

    fn link(text: &str, anchor: String) -> Self {
        Self { text: text.to_owned(), anchor: Some(anchor) }
    }
}

/// Joins the names of types with "or".
fn join(names: Vec<Vec<TypePart>>) -> Vec<TypePart> {
    let mut parts = Vec::new();
    for name in names {
        if !parts.is_empty() {
            parts.push(TypePart::plain(" or ".to_owned()));
        }
        parts.extend(name);
    }
    parts
}

fn schema_anchor(name: &str) -> String {
    format!("schema-{name}")
}

/// A bound of a number, such as " from 1".
fn bound(schema: &Value, name: &str, word: &str) -> String {
    schema.get(name).map(|value| format!(" {word} {value}")).unwrap_or_default()
}

fn default_of(schema: &Value) -> Option<String> {
    schema.get("default").map(plain)
}

/// A value as a text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text of a string; empty for other values.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The members of an object, by name; none for other values.
fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The elements of an array; none for other values.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name_of(schema: &Value) -> String {
        let document = Document(json!({}));
        document.type_name(schema).into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn types_have_names() {
        for (schema, name) in [
            (json!({ "type": "integer", "minimum": 1, "maximum": 20 }), "integer from 1 up to 20"),
            (json!({ "type": "string", "format": "binary" }), "string (binary)"),
            (json!({ "enum": ["plain", "alt"] }), "plain or alt"),
            (
                json!({ "type": "array", "items": { "$ref": "#/components/schemas/A" } }),
                "array of A",
            ),
            (
                json!({ "oneOf": [{ "$ref": "#/components/schemas/A" }, { "type": "number" }] }),
                "A or number",
            ),
            (json!({}), ""),
        ] {
            assert_eq!(name_of(&schema), name);
        }
    }

    #[test]
    fn fields_of_inner_objects_have_paths() {
        let schema = json!({
            "type": "object",
            "required": ["z"],
            "properties": {
                "a": { "type": "array", "items": { "properties": { "b": { "type": "string" } } } },
                "z": { "type": "integer", "default": 3 },
            },
        });
        let document = Document(json!({}));
        let fields = document.fields(&schema);
        let names = fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["z", "a", "a[].b"]);
        assert_eq!(fields[0].default.as_deref(), Some("3"));
        assert!(fields[0].is_required && !fields[1].is_required);
    }
}
