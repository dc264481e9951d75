//! What the types of requests don't say of themselves: that nearly all take the options beyond the original API, and that
//! forms carry files.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Bodies by the names of their schemas: whether they take options, the files that a form may bring, and whether it must.
const BODIES: [(&str, bool, &[&str], bool); 6] = [
    (
        "CreateRequest",
        true,
        &["input_reference", "last_frame"],
        false,
    ),
    ("RemixRequest", true, &[], false),
    ("EditRequest", true, &["video", "mask"], false),
    ("ExtendRequest", true, &["video"], false),
    ("CharacterRequest", false, &["video"], true),
    ("FileRequest", false, &["file"], true),
];
/// What is behind the name of a schema for forms.
const FORM: &str = "Form";

/// The document with whole bodies, in JSON and as forms.
pub(super) fn complete(document: &OpenApi) -> Value {
    let mut document = json!(document);
    let schemas = &mut document["components"]["schemas"];
    let options = schemas["Options"]["properties"].clone();
    for (name, optional, files, needed) in BODIES {
        let body = &mut schemas[name];
        body["additionalProperties"] = false.into();
        if let (true, Some(own), Some(options)) = (
            optional,
            body["properties"].as_object_mut(),
            options.as_object(),
        ) {
            own.extend(options.clone());
        }
        let mut form = body.clone();
        for file in files {
            let property = &mut form["properties"][*file];
            *property = sent(property);
            if needed && let Some(required) = form["required"].as_array_mut() {
                required.push(json!(file));
            }
        }
        schemas[format!("{name}{FORM}")] = form;
    }
    let operations = document["paths"].as_object_mut().into_iter();
    let operations = operations.flat_map(Map::values_mut);
    let operations = operations.flat_map(|path| path.as_object_mut().into_iter());
    for operation in operations.flat_map(Map::values_mut) {
        let form = "/requestBody/content/multipart~1form-data/schema/$ref";
        if let Some(Value::String(name)) = operation.pointer_mut(form) {
            name.push_str(FORM);
        }
    }
    document
}

/// A property that may be a file, and what else it may be.
fn sent(property: &Value) -> Value {
    let file = json!({ "type": "string", "format": "binary" });
    let described = json!(property["description"].as_str().unwrap_or("The file."));
    let Some(others) = property["oneOf"].as_array() else {
        return json!({ "type": "string", "format": "binary", "description": described });
    };
    let others = others.iter().filter(|other| other["type"] != "null");
    let all: Vec<Value> = [file].into_iter().chain(others.cloned()).collect();
    json!({ "anyOf": all, "description": described })
}
