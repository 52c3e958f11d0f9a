//! An OpenAPI 3 document in, [`Operation`]s out: of all that it says, only what a policy can be about.
//!
//! OpenAPI Specification 3.0 and 3.1, "Paths Object", "Operation Object", "Parameter Object".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::snapshot::{Operation, Parameter, ParameterKind, Place, Several};

/// References that one thing may be behind.
const REFERENCES_MAX: usize = 8;

#[derive(Deserialize)]
struct Document {
    openapi: String,
    #[serde(default)]
    servers: Vec<Server>,
    #[serde(default)]
    paths: BTreeMap<String, PathItem>,
    #[serde(default)]
    components: Components,
}

#[derive(Deserialize)]
struct Server {
    url: String,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
}

#[derive(Deserialize)]
struct Variable {
    default: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Components {
    parameters: BTreeMap<String, ParameterObject>,
    schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
struct PathItem {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(default)]
    servers: Vec<IgnoredAny>,
    #[serde(default)]
    parameters: Vec<ParameterObject>,
    get: Option<OperationObject>,
    head: Option<OperationObject>,
    options: Option<OperationObject>,
    post: Option<OperationObject>,
    put: Option<OperationObject>,
    patch: Option<OperationObject>,
    delete: Option<OperationObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationObject {
    operation_id: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    parameters: Vec<ParameterObject>,
    #[serde(default)]
    servers: Vec<IgnoredAny>,
}

#[derive(Clone, Deserialize)]
struct ParameterObject {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "in")]
    place: String,
    style: Option<String>,
    explode: Option<bool>,
    schema: Option<Schema>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Schema {
    Shape {
        #[serde(rename = "$ref")]
        reference: Option<String>,
        #[serde(rename = "type")]
        kind: Option<Kinds>,
        items: Option<Box<Schema>>,
    },
    /// `true` and `false` are schemas too, since 3.1.
    Other(IgnoredAny),
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Kinds {
    One(String),
    AnyOf(Vec<String>),
}

/// The operations of a document, YAML or JSON, in the order of their paths; or why it cannot be used.
pub fn operations(text: &str) -> Result<Vec<Operation>, String> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    if !document.openapi.starts_with("3.") {
        return Err(format!(
            "is OpenAPI {}, and only OpenAPI 3 is read",
            document.openapi
        ));
    }
    let base = document.base()?;
    let mut operations = Vec::new();
    for (path, item) in &document.paths {
        document
            .read_item(&base, path, item, &mut operations)
            .map_err(|message| format!("`{path}`: {message}"))?;
    }
    Ok(operations)
}

impl Document {
    /// What all paths begin with: the path of the servers, which must have one.
    fn base(&self) -> Result<String, String> {
        let mut bases = self.servers.iter().map(|server| {
            let mut url = server.url.clone();
            for (name, variable) in &server.variables {
                url = url.replace(&format!("{{{name}}}"), &variable.default);
            }
            let path = match url.split_once("://") {
                Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or(""),
                None => &url,
            };
            path.trim_end_matches('/').to_owned()
        });
        let first = bases.next().unwrap_or_default();
        match bases.all(|base| base == first) {
            true => Ok(first),
            false => {
                Err("its `servers` have different paths: which of them the target has cannot be told".into())
            }
        }
    }

    fn read_item(
        &self,
        base: &str,
        path: &str,
        item: &PathItem,
        operations: &mut Vec<Operation>,
    ) -> Result<(), String> {
        if item.reference.is_some() {
            return Err("a path that is a `$ref` is not read".into());
        }
        let methods = [
            ("GET", &item.get),
            ("HEAD", &item.head),
            ("OPTIONS", &item.options),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            if !(item.servers.is_empty() && operation.servers.is_empty()) {
                return Err("a path with `servers` of its own is not read".into());
            }
            let name = operation.operation_id.clone();
            operations.push(Operation {
                name: name.unwrap_or_else(|| format!("{method} {path}")),
                method: method.into(),
                path: format!("{base}{path}"),
                tags: operation.tags.clone(),
                parameters: self.parameters(&item.parameters, &operation.parameters)?,
            });
        }
        Ok(())
    }

    /// Those of the operation, and those of its path that it does not say again.
    fn parameters(
        &self,
        of_path: &[ParameterObject],
        own: &[ParameterObject],
    ) -> Result<Vec<Parameter>, String> {
        let mut found: Vec<Parameter> = Vec::new();
        for parameter in own.iter().chain(of_path) {
            let Some(parameter) = self.parameter(parameter)? else {
                continue;
            };
            let is_said = |said: &Parameter| said.name == parameter.name && said.place == parameter.place;
            if !found.iter().any(is_said) {
                found.push(parameter);
            }
        }
        Ok(found)
    }

    /// Nothing for what has no one text or number that a rule could be about.
    fn parameter(&self, object: &ParameterObject) -> Result<Option<Parameter>, String> {
        let object = self.followed(object)?;
        let place = match object.place.as_str() {
            "path" => Place::Path,
            "query" => Place::Query,
            "header" => Place::Header,
            "cookie" => return Ok(None),
            other => return Err(format!("a parameter in `{other}` is not known")),
        };
        // The document means nothing by these (Parameter Object, `in: header`).
        let is_reserved = ["accept", "content-type", "authorization"]
            .iter()
            .any(|name| object.name.eq_ignore_ascii_case(name));
        if place == Place::Header && is_reserved {
            return Ok(None);
        }
        let style = object.style.as_deref();
        let usual = if place == Place::Query { "form" } else { "simple" };
        if style.is_some_and(|style| style != usual) {
            return Ok(None);
        }
        let (kind, is_list) = match self.kind(object.schema.as_ref())? {
            Some((name, items)) if name == "array" => (items, true),
            Some((name, _)) => (Some(name), false),
            None => (None, false),
        };
        let kind = match kind.as_deref() {
            Some("object" | "array") => return Ok(None),
            Some("integer") => ParameterKind::Integer,
            Some("boolean") => ParameterKind::Boolean,
            _ => ParameterKind::Text,
        };
        let several = match (is_list, place) {
            (false, _) => Several::No,
            (true, Place::Query) if object.explode != Some(false) => Several::Repeated,
            (true, _) => Several::Commas,
        };
        Ok(Some(Parameter {
            name: object.name.clone(),
            place,
            kind,
            several,
        }))
    }

    fn followed<'a>(&'a self, object: &'a ParameterObject) -> Result<&'a ParameterObject, String> {
        let mut object = object;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = &object.reference else {
                return Ok(object);
            };
            let name = reference.strip_prefix("#/components/parameters/");
            let named = name.and_then(|name| self.components.parameters.get(name));
            object = named.ok_or_else(|| not_followed(reference))?;
        }
        Err("a parameter is behind too many references".into())
    }

    /// The type of a schema, and of its items.
    fn kind(&self, schema: Option<&Schema>) -> Result<Option<(String, Option<String>)>, String> {
        let mut schema = schema;
        for _ in 0..REFERENCES_MAX {
            let Some(Schema::Shape {
                reference,
                kind,
                items,
            }) = schema
            else {
                return Ok(None);
            };
            let Some(reference) = reference else {
                let items = match items {
                    Some(items) => self.kind(Some(items))?.map(|(name, _)| name),
                    None => None,
                };
                let kind = match kind {
                    Some(Kinds::One(kind)) => Some(kind.clone()),
                    // `null` beside one other: what is not given.
                    Some(Kinds::AnyOf(kinds)) => {
                        let mut kinds = kinds.iter().filter(|kind| *kind != "null");
                        kinds.next().filter(|_| kinds.next().is_none()).cloned()
                    }
                    None => None,
                };
                return Ok(kind.map(|kind| (kind, items)));
            };
            let name = reference.strip_prefix("#/components/schemas/");
            let named = name.and_then(|name| self.components.schemas.get(name));
            schema = Some(named.ok_or_else(|| not_followed(reference))?);
        }
        Err("a schema is behind too many references".into())
    }
}

fn not_followed(reference: &str) -> String {
    format!("`{reference}` is not in this document's `components`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r##"
openapi: 3.1.0
info: { title: Billing, version: "1" }
servers:
  - url: https://{host}/api/{version}/
    variables: { host: { default: a.example }, version: { default: v1 } }
  - url: /api/v1
paths:
  /invoices:
    get:
      operationId: listInvoices
      tags: [invoices]
      parameters:
        - { name: limit, in: query, schema: { $ref: "#/components/schemas/Count" } }
        - { name: state, in: query, schema: { type: array, items: { type: string } } }
        - { name: fields, in: query, explode: false, schema: { type: array, items: { type: string } } }
        - { name: filter, in: query, style: deepObject, schema: { type: object } }
        - { name: Accept, in: header, schema: { type: string } }
        - { name: X-Dry-Run, in: header, schema: { type: [boolean, "null"] } }
      responses: { 200: { description: all } }
    post: { operationId: createInvoice, tags: [invoices, money], responses: {} }
  /invoices/{id}:
    summary: one
    parameters:
      - $ref: "#/components/parameters/Id"
      - { name: view, in: query, schema: { type: string } }
    get:
      parameters: [ { name: view, in: query, schema: { type: integer } } ]
      responses: {}
components:
  parameters: { Id: { name: id, in: path, required: true, schema: { type: integer } } }
  schemas: { Count: { type: integer, minimum: 1 }, Any: true }
"##;

    #[test]
    fn operations_have_their_paths_tags_and_what_they_are_asked_with() {
        let found = operations(DOCUMENT).unwrap();
        let parameter = |name: &str, place, kind, several| Parameter {
            name: name.into(),
            place,
            kind,
            several,
        };
        let operation = |name: &str, method: &str, path: &str, tags: &[&str], parameters| Operation {
            name: name.into(),
            method: method.into(),
            path: path.into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            parameters,
        };
        let expected = [
            operation(
                "listInvoices",
                "GET",
                "/api/v1/invoices",
                &["invoices"],
                vec![
                    parameter("limit", Place::Query, ParameterKind::Integer, Several::No),
                    parameter("state", Place::Query, ParameterKind::Text, Several::Repeated),
                    parameter("fields", Place::Query, ParameterKind::Text, Several::Commas),
                    parameter("X-Dry-Run", Place::Header, ParameterKind::Boolean, Several::No),
                ],
            ),
            operation(
                "createInvoice",
                "POST",
                "/api/v1/invoices",
                &["invoices", "money"],
                Vec::new(),
            ),
            operation(
                "GET /invoices/{id}",
                "GET",
                "/api/v1/invoices/{id}",
                &[],
                vec![
                    parameter("view", Place::Query, ParameterKind::Integer, Several::No),
                    parameter("id", Place::Path, ParameterKind::Integer, Several::No),
                ],
            ),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_document_in_json_is_read_too() {
        let text = r#"{"openapi": "3.0.3", "paths": {"/a": {"get": {"operationId": "a", "responses": {"200": {}}}}}}"#;
        let found = operations(text).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].path.as_str()), ("a", "/a"));
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        let of = |rest: &str| operations(&format!("openapi: 3.0.0\n{rest}")).unwrap_err();
        let told = operations("openapi: 2.0.0\n").unwrap_err();
        assert!(told.contains("only OpenAPI 3"), "{told}");
        let told = of("servers: [{ url: /v1 }, { url: /v2 }]");
        assert!(told.contains("different paths"), "{told}");
        let told = of("paths: { /a: { $ref: other.yaml } }");
        assert!(told.contains("`/a`: a path that is a `$ref`"), "{told}");
        let told = of("paths: { /a: { get: { parameters: [ { $ref: \"#/components/parameters/X\" } ] } } }");
        assert!(told.contains("`#/components/parameters/X` is not in"), "{told}");
        let told = of("paths: { /a: { get: { servers: [{ url: /b }] } } }");
        assert!(told.contains("`servers` of its own"), "{told}");
        let told = of(
            "paths: { /a: { get: { parameters: [ { $ref: \"#/components/parameters/X\" } ] } } }\n\
             components: { parameters: { X: { $ref: \"#/components/parameters/X\" } } }",
        );
        assert!(told.contains("too many references"), "{told}");
        let told = of("paths: [");
        assert!(told.contains("line 2"), "{told}");
    }
}
